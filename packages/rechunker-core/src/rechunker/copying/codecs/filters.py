"""Filters of numcodecs: functions on all elements of a chunk, before a compressor gets them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numcodecs
import numpy as np
import numpy.typing as npt
from numcodecs.abc import Codec

from rechunker.copying.codecs.workspace import LARGEST_KEPT

__all__ = ["Filters", "filters_of"]

# Filters that keep the number of elements, whatever these are.
_ELEMENTWISE = frozenset({"astype", "bitround", "delta", "fixedscaleoffset", "quantize", "shuffle"})
# Elements enough to see what a filter makes of them.
_SAMPLE = 8
# Filters compute in double precision, and hold up to so many results at a time (measured).
_WIDEST, _ARRAYS = 8, 3
# The GNU C library keeps what they freed in the heaps of threads, even if these are trimmed: only
# the first heap of a process is trimmed at its top. Measured: three of the largest arrays.
_KEPT = 3


@dataclass(frozen=True)
class Filters:
    """A chain of filters that each keep the number of elements.

    Parameters
    ----------
    codecs
        Filters in the order in which they encode.
    itemsize
        Bytes of an element that went through all of them.
    typesize
        Bytes of the words that they return: fewer, if they return single bytes.
    widest
        Most bytes of an element on the way.
    """

    codecs: tuple[Codec, ...]
    itemsize: int
    typesize: int
    widest: int

    def encode(self, flat: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return the bytes of flat elements that went through all filters."""
        for codec in self.codecs:
            flat = codec.encode(flat)
        return np.ascontiguousarray(flat).reshape(-1).view(np.uint8)

    def decode(self, raw: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Return what became of bytes that went back through all filters."""
        flat: npt.NDArray[Any] = raw
        for codec in reversed(self.codecs):
            flat = codec.decode(flat)
        return np.asarray(flat).reshape(-1)

    def working_bytes(self, elements: int) -> int:
        """Return the peak memory of a filter, in bytes, with its output and without its input."""
        return _ARRAYS * self.widest * elements

    def kept_bytes(self, elements: int) -> int:
        """Return the bytes of freed memory that the C library keeps while other data are held."""
        largest = self.widest * elements
        return _KEPT * largest if largest < LARGEST_KEPT else 0


def filters_of(configs: Iterable[Mapping[str, Any]], dtype: np.dtype[Any]) -> Filters | None:
    """Return the filters of an array of format 2; None if not all are known to work so.

    Parameters
    ----------
    configs
        Metadata of the filters.
    dtype
        Dtype of the array.
    """
    given = list(configs)
    if not {config["id"] for config in given} <= _ELEMENTWISE:
        return None
    return _chain(json.dumps(given), dtype)


@lru_cache(maxsize=64)
def _chain(configs: str, dtype: np.dtype[Any]) -> Filters | None:
    """Try the filters on a few elements."""
    codecs = tuple(numcodecs.get_codec(config) for config in json.loads(configs))
    sample: npt.NDArray[Any] = np.zeros(_SAMPLE, dtype)
    sizes = [_WIDEST, sample.itemsize]
    try:
        for codec in codecs:
            sample = np.asarray(codec.encode(sample))
            sizes.append(sample.nbytes // _SAMPLE)
        filters = Filters(codecs, sizes[-1], sample.itemsize, max(sizes))
        decoded = filters.decode(sample.reshape(-1).view(np.uint8))
    except (TypeError, ValueError):
        return None  # Zarr shall say what is wrong
    whole = sample.nbytes == _SAMPLE * sizes[-1] and decoded.nbytes == _SAMPLE * dtype.itemsize
    return filters if whole else None
