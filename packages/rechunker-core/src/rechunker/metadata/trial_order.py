"""Finding out whether the zarr that is installed reads back what it writes with some codecs."""

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

__all__ = ["check_order"]

_DELTA = {"name": "numcodecs.delta", "configuration": {"dtype": "<i4", "astype": "<i4"}}
_OBJECTS: dict[str, Any] = {"vlen-utf8": str, "vlen-bytes": VariableLengthBytes()}


def check_order(codecs: Iterable[dict[str, Any]], ndim: int) -> None:
    """Refuse codecs with which zarr writes wrong elements, or reads them wrongly.

    Codecs of numcodecs, and those of strings, flatten a chunk in the order in which it lies in
    memory, and take its bytes for native ones. zarr 3.1 gives them transposed and swapped chunks
    all the same; see https://github.com/zarr-developers/zarr-python/issues/3558.

    Parameters
    ----------
    codecs
        As in v3 metadata.
    ndim
        Number of axes.

    Raises
    ------
    ValueError
        If elements do not survive the way through such codecs.
    """
    chain = chain_of(codecs)
    names = [codec["name"] for codec in (*chain.filters, chain.serializer)]
    in_question = [name for name in names if name.startswith("numcodecs.") or name in _OBJECTS]
    if not in_question or not ("transpose" in names or _is_swapping(chain.serializer)):
        return
    if not _returns(chain, tuple(range(2, 2 + ndim))):
        raise ValueError(
            f"zarr {zarr.__version__} does not read back what it writes with {', '.join(names)} "
            "one after another; use a newer zarr, or give order='C' and a little-endian "
            "serializer, or other filters"
        )


def _returns(chain: Chain, shape: tuple[int, ...]) -> bool:
    """Say whether numbers, or strings, come back from where such codecs have put them."""
    kind = chain.serializer["name"]
    # Filters may be lossy, and made for some other dtype; this one shows what happens to all.
    filters: Any = [codec if codec["name"] == "transpose" else _DELTA for codec in chain.filters]
    if kind.startswith("numcodecs."):
        filters.append(_DELTA)
    elements = _elements(kind, shape)
    with quiet():
        array = zarr.create_array(
            MemoryStore(),
            shape=shape,
            chunks=shape,
            dtype=_OBJECTS.get(kind, "i4"),
            filters=filters,
            serializer=chain.serializer if _is_swapping(chain.serializer) else "auto",
        )
        array[...] = elements
        return bool(np.asarray(array[...]).tolist() == elements.tolist())


def _elements(kind: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Return elements of which no two are equal."""
    numbers = np.arange(prod(shape), dtype="i4").reshape(shape)
    if kind not in _OBJECTS:
        return numbers
    strings = numbers.astype("S" if kind == "vlen-bytes" else "U").astype(object)
    return np.array(strings, dtype=object)


def _is_swapping(serializer: dict[str, Any]) -> bool:
    configuration = serializer.get("configuration") or {}
    return serializer["name"] == "bytes" and configuration.get("endian") == "big"
