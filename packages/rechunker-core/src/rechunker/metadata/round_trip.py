"""Trial of transposing and byte-swapping codecs: does the installed zarr read what it writes."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.dtype import VariableLengthBytes
from zarr.storage import MemoryStore

from rechunker.metadata.codec_chain import Chain, chain_of
from rechunker.metadata.document import quiet

__all__ = ["check_round_trip"]

_DELTA = {"name": "numcodecs.delta", "configuration": {"dtype": "<i4", "astype": "<i4"}}
_OBJECT_DTYPES: dict[str, Any] = {"vlen-utf8": str, "vlen-bytes": VariableLengthBytes()}


def check_round_trip(codecs: Iterable[dict[str, Any]], ndim: int) -> None:
    """Check that the installed zarr reads back the elements that it writes with these codecs.

    Codecs of numcodecs, and the codecs of strings, flatten a chunk in its memory order and assume
    native byte order. zarr 3.1 passes them transposed and byte-swapped chunks nevertheless, which
    corrupts the elements; see https://github.com/zarr-developers/zarr-python/issues/3558.

    Parameters
    ----------
    codecs
        Codecs of the target, as in Zarr format 3 metadata.
    ndim
        Number of axes of the target.

    Raises
    ------
    ValueError
        If elements that are read differ from those that were written.
    """
    chain = chain_of(codecs)
    names = [codec["name"] for codec in (*chain.filters, chain.serializer)]
    affected = [name for name in names if name.startswith("numcodecs.") or name in _OBJECT_DTYPES]
    if not affected or not ("transpose" in names or _is_big_endian(chain.serializer)):
        return
    if not _survives(chain, tuple(range(2, 2 + ndim))):
        raise ValueError(
            f"zarr {zarr.__version__} does not read back what it writes with the codecs "
            f"{', '.join(names)} in sequence; use a newer zarr, order='C' with a little-endian "
            "serializer, or other filters"
        )


def _survives(chain: Chain, shape: tuple[int, ...]) -> bool:
    """Return whether elements are unchanged after a write and a read with similar codecs."""
    serializer = chain.serializer["name"]
    # Filters may be lossy, or for another dtype. Delta stands for all of them.
    filters: Any = [codec if codec["name"] == "transpose" else _DELTA for codec in chain.filters]
    if serializer.startswith("numcodecs."):
        filters.append(_DELTA)
    elements = _distinct_elements(serializer, shape)
    with quiet():
        array = zarr.create_array(
            MemoryStore(),
            shape=shape,
            chunks=shape,
            dtype=_OBJECT_DTYPES.get(serializer, "i4"),
            filters=filters,
            serializer=chain.serializer if _is_big_endian(chain.serializer) else "auto",
        )
        array[...] = elements
        return bool(np.asarray(array[...]).tolist() == elements.tolist())


def _distinct_elements(serializer: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return an array for a serializer in which no two elements are equal."""
    numbers = np.arange(prod(shape), dtype="i4").reshape(shape)
    if serializer not in _OBJECT_DTYPES:
        return numbers
    strings = numbers.astype("S" if serializer == "vlen-bytes" else "U").astype(object)
    return np.array(strings, dtype=object)


def _is_big_endian(serializer: dict[str, Any]) -> bool:
    configuration = serializer.get("configuration") or {}
    return serializer["name"] == "bytes" and configuration.get("endian") == "big"
