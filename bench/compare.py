"""Compare two arrays piece by piece."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import numpy as np
import zarr

__all__ = ["differences"]

PIECE = 400 * 10**6  # bytes


def differences(one: zarr.Array[Any], other: zarr.Array[Any], piece: int = PIECE) -> int:
    """Return the number of elements that differ, loading at most `piece` bytes of each array."""
    assert one.shape == other.shape
    widths = _widths(one.shape, other.chunks, piece // one.dtype.itemsize)
    starts = (range(0, size, width) for size, width in zip(one.shape, widths, strict=True))
    different = 0
    for corner in product(*starts):
        region = tuple(slice(a, a + width) for a, width in zip(corner, widths, strict=True))
        different += int(np.count_nonzero(one[region] != other[region]))
    return different


def _widths(shape: tuple[int, ...], chunks: tuple[int, ...], items: int) -> tuple[int, ...]:
    """Return the shape of a piece: as many whole chunks as fit, growing the last axes first."""
    widths = [min(width, size) for width, size in zip(chunks, shape, strict=True)]
    for axis in reversed(range(len(shape))):
        room = max(1, items // prod(widths))
        widths[axis] = min(shape[axis], widths[axis] * room)
    return tuple(widths)
