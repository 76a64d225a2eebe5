"""Compare two arrays piece by piece."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np
import zarr

__all__ = ["differences", "differences_of_stored"]

PIECE = 400 * 10**6  # bytes


def differences(one: zarr.Array[Any], other: zarr.Array[Any], piece: int = PIECE) -> int:
    """Return the number of elements that differ, loading at most `piece` bytes of each array."""
    assert one.shape == other.shape
    widths = _widths(one.shape, other.chunks, piece // one.dtype.itemsize)
    starts = (range(0, size, width) for size, width in zip(one.shape, widths, strict=True))
    return sum(_different(one, other, corner, widths) for corner in product(*starts))


def differences_of_stored(one: zarr.Array[Any], other: zarr.Array[Any]) -> int:
    """Return the number of elements that differ in the stored chunks of either array.

    Where no chunk is stored, both hold the same fill value. An element in stored chunks of both is
    counted twice.
    """
    assert one.shape == other.shape
    assert one.fill_value == other.fill_value
    return sum(
        _different(one, other, corner, array.chunks)
        for array in (one, other)
        for corner in _stored(array)
    )


def _different(
    one: zarr.Array[Any], other: zarr.Array[Any], corner: tuple[int, ...], widths: tuple[int, ...]
) -> int:
    region = tuple(slice(a, a + width) for a, width in zip(corner, widths, strict=True))
    return int(np.count_nonzero(one[region] != other[region]))


def _stored(array: zarr.Array[Any]) -> Iterator[tuple[int, ...]]:
    """Yield the first element of each chunk for which there is a file."""
    root = str(array.store_path).removeprefix("file://")
    for folder, _, names in os.walk(os.path.join(root, "c")):
        for name in names:
            index = map(int, os.path.relpath(os.path.join(folder, name), root).split(os.sep)[1:])
            yield tuple(i * width for i, width in zip(index, array.chunks, strict=True))


def _widths(shape: tuple[int, ...], chunks: tuple[int, ...], items: int) -> tuple[int, ...]:
    """Return the shape of a piece: as many whole chunks as fit, growing the last axes first."""
    widths = [min(width, size) for width, size in zip(chunks, shape, strict=True)]
    for axis in reversed(range(len(shape))):
        room = max(1, items // prod(widths))
        widths[axis] = min(shape[axis], widths[axis] * room)
    return tuple(widths)
