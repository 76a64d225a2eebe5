"""Finding out whether the zarr that is installed reads back what it writes with some codecs."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
import zarr
from zarr.storage import MemoryStore

from rechunker.codec_chains import chain_of
from rechunker.metadata import quiet

__all__ = ["check_filters"]

_DELTA = {"name": "numcodecs.delta", "configuration": {"dtype": "<i4", "astype": "<i4"}}


def check_filters(codecs: Iterable[dict[str, Any]], ndim: int) -> None:
    """Refuse codecs with which zarr writes wrong elements, or reads them wrongly.

    Filters of numcodecs flatten a chunk in the order in which it lies in memory, and take its
    bytes for native ones. zarr 3.1 gives them transposed and swapped chunks all the same; see
    https://github.com/zarr-developers/zarr-python/issues/3558.

    Parameters
    ----------
    codecs
        As in v3 metadata.
    ndim
        Number of axes.

    Raises
    ------
    ValueError
        If integers do not survive the way through such codecs.
    """
    chain = chain_of(codecs)
    names = [codec["name"] for codec in chain.filters]
    if not any(name.startswith("numcodecs.") for name in names):
        return
    # Filters may be lossy, and made for some other dtype; this one shows what happens to all.
    filters: Any = [codec if codec["name"] == "transpose" else _DELTA for codec in chain.filters]
    serializer: Any = chain.serializer if _is_swapping(chain.serializer) else "auto"
    shape = tuple(range(2, 2 + ndim))
    elements = np.arange(prod(shape), dtype="i4").reshape(shape)
    with quiet():
        array = zarr.create_array(
            MemoryStore(),
            data=elements,
            chunks=shape,
            filters=filters,
            serializer=serializer,
        )
        returned = np.asarray(array[...])
    if not np.array_equal(returned, elements):
        raise ValueError(
            f"zarr {zarr.__version__} does not read back what it writes with {', '.join(names)} "
            f"and the serializer {chain.serializer}; use a newer zarr, or give order='C' and a "
            "little-endian serializer, or other filters"
        )


def _is_swapping(serializer: dict[str, Any]) -> bool:
    configuration = serializer.get("configuration") or {}
    return serializer["name"] == "bytes" and configuration.get("endian") == "big"
