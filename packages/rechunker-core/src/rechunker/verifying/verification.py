"""Verification: whether two sides are equal, and where they differ first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rechunker.copying import name_of_dtype
from rechunker.sources import SourceArray
from rechunker.stores import options_of_urls, secrets_hidden
from rechunker.types import Executor
from rechunker.verifying.digests import Digest
from rechunker.verifying.passes import digests_of
from rechunker.verifying.places import different_places
from rechunker.verifying.sides import side_of

__all__ = ["Difference", "Verification", "verify"]

# Differences that are looked for.
_MOST = 10


@dataclass(frozen=True)
class Difference:
    """Something in which two sides differ.

    Parameters
    ----------
    array
        Path of the array; "" for a single array.
    what
        What differs, in words.
    chunk
        Index of the chunk of the target; None if the arrays differ as a whole.
    elements
        Indices of the first elements in that chunk that differ.
    """

    array: str
    what: str
    chunk: tuple[int, ...] | None = None
    elements: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, repr=False)
class Verification:
    """Whether a target is equal to its source: the truth value of this object.

    Parameters
    ----------
    source, target
        Digests of both sides.
    differences
        The first differences; none if the sides are equal.
    """

    source: Digest
    target: Digest
    differences: tuple[Difference, ...] = ()

    def __bool__(self) -> bool:
        return self.source == self.target

    def __repr__(self) -> str:
        if self:
            return f"equal: {self.source}"
        lines = [f"not equal: {self.source} and {self.target}"]
        for found in self.differences:
            name = f"array {found.array!r}" if found.array else "the array"
            where = "" if found.chunk is None else f", chunk {found.chunk}"
            elements = f": elements {', '.join(map(str, found.elements))}" if found.elements else ""
            lines.append(f"{name}{where}: {found.what}{elements}")
        return "\n".join(lines)


def verify(
    source: Any,
    target: Any,
    *,
    max_mem: int | str = "1GB",
    executor: str | Executor[Any] = "python",
    progress: Any = None,
    temp_store: Any = None,
    storage_options: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> Verification:
    """Read two sides once each, and return whether all their values have the same bits.

    Where they differ, both are read once more, in this process, to find the first chunks of the
    target that do.

    Parameters
    ----------
    source, target
        What to compare; see `digest`. An Xarray dataset stands for what is stored of it.
    max_mem, executor, progress, temp_store, storage_options, **kwargs
        As for `digest`.

    Returns
    -------
    Verification
        True if the sides are equal; its text says where they differ.

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
    >>> print(verify(np.array([[1, 2], [3, 4]]), np.array([[1, 2], [4, 3]])))
    not equal: ... and ...
    the array, chunk (0, 0): values differ: elements (1, 0), (1, 1)
    """
    with secrets_hidden():
        for_urls = options_of_urls(
            storage_options, source=source, target=target, temp_store=temp_store
        )
        sides = side_of(source, for_urls["source"]), side_of(target, for_urls["target"])
        found = digests_of(
            sides,
            max_mem=max_mem,
            executor=executor,
            progress=progress,
            temp_store=temp_store,
            storage_options=for_urls["temp_store"],
            options=kwargs,
        )
        a, b = (Digest(arrays) for arrays in found)
        return Verification(a, b, tuple(_differences(*sides, a, b)) if a != b else ())


def _differences(
    source: Mapping[str, SourceArray], target: Mapping[str, SourceArray], a: Digest, b: Digest
) -> Iterator[Difference]:
    number = 0
    for name in sorted({*source, *target}):
        if a.arrays.get(name) == b.arrays.get(name) or number == _MOST:
            continue
        if name not in source or name not in target:
            found = [
                Difference(name, f"is missing in the {'target' if name in source else 'source'}")
            ]
        else:
            found = list(_of_arrays(name, source[name], target[name], _MOST - number))
        number += len(found)
        yield from found


def _of_arrays(name: str, a: SourceArray, b: SourceArray, most: int) -> Iterator[Difference]:
    kinds = [source.reader.dtype for source in (a, b)]
    if a.shape != b.shape:
        yield Difference(name, f"has shape {a.shape} in the source, {b.shape} in the target")
    elif name_of_dtype(kinds[0]) != name_of_dtype(kinds[1]):
        yield Difference(name, f"has dtype {kinds[0]} in the source, {kinds[1]} in the target")
    else:
        for chunk, elements in different_places(a, b, most):
            yield Difference(name, "values differ", chunk, elements)
