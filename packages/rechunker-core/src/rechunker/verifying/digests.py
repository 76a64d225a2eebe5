"""Digests: what tells the values of arrays, wherever and however they are stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rechunker.stores import options_of_urls, secrets_hidden
from rechunker.types import Executor
from rechunker.verifying.passes import digests_of
from rechunker.verifying.sides import side_of

__all__ = ["Digest", "digest"]


@dataclass(frozen=True)
class Digest:
    """Digest of an array, or of all arrays of a group or dataset.

    Parameters
    ----------
    arrays
        Digest of each array, 32 hexadecimal digits, by its path; ``""`` for a single array.

    Examples
    --------
    >>> str(Digest({"": "0123456789abcdef0123456789abcdef"}))
    '0123456789abcdef0123456789abcdef'
    """

    arrays: Mapping[str, str]

    def __str__(self) -> str:
        if list(self.arrays) == [""]:
            return self.arrays[""]
        lines = "".join(f"{name} {self.arrays[name]}\n" for name in sorted(self.arrays))
        return hashlib.sha256(lines.encode()).hexdigest()[:32]


def digest(
    values: Any,
    *,
    max_mem: int | str = "1GB",
    executor: str | Executor[Any] = "python",
    progress: Any = None,
    temp_store: Any = None,
    storage_options: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Digest:
    """Read all values once, and return their digest.

    Two arrays have the same digest if their values have the same bits, and otherwise another one
    but for an unlikely accident. Chunks, shards, codecs, byte order and Zarr format do not matter;
    shape and dtype do. ``docs/verifying.md`` has the definition.

    Parameters
    ----------
    values
        Zarr array or group, Dask array, Xarray dataset or tree, numpy array; or a path, a URL, a
        store or a mapping that holds a Zarr array or group.
    max_mem
        Memory limit per task in bytes: an integer or a string such as ``"500MB"``.
    executor
        Name of an executor or an `Executor` instance.
    progress
        As in `Rechunked.execute`, for executors that take it.
    temp_store
        Where tasks leave their sums, a few bytes each, which are deleted in the end. Required if
        they run in other processes.
    storage_options
        Arguments with which fsspec or obstore opens what is a URL, such as credentials.
    **kwargs
        Further arguments for the executor.

    Returns
    -------
    Digest
        Its text is one digest for all; `Digest.arrays` has that of each array.

    Raises
    ------
    FileNotFoundError
        If there is no array and no group at a place.
    MemoryLimitError
        If a chunk of an array takes more than `max_mem`.
    CopyError
        If a chunk cannot be read.
    TypeError
        If there are `storage_options`, but no URL.

    Examples
    --------
    >>> import numpy as np
    >>> str(digest(np.arange(6.0).reshape(2, 3)))
    '...'
    """
    with secrets_hidden():
        for_urls = options_of_urls(storage_options, values=values, temp_store=temp_store)
        (found,) = digests_of(
            [side_of(values, for_urls["values"])],
            max_mem=max_mem,
            executor=executor,
            progress=progress,
            temp_store=temp_store,
            storage_options=for_urls["temp_store"],
            options=kwargs,
        )
        return Digest(found)
