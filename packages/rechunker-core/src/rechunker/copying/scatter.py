"""Scatter: one region of an array is copied into cells that lie back to back in a buffer."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rechunker.planning import Box

__all__ = ["CellLayout", "scatter", "word_of"]

Bytes = npt.NDArray[np.uint8]

# Bytes of a block that stays in the processor's cache while its rows are copied to many cells.
_CACHE_BYTES = 1 << 18
# Elements of these sizes are moved as integers, with numpy's fastest loops.
_WORDS = {1: "u1", 2: "u2", 4: "u4", 8: "u8"}


@cache
def word_of(size: int) -> np.dtype[Any]:
    """Return the dtype of opaque elements of `size` bytes that is fastest to copy and compare."""
    return np.dtype(_WORDS.get(size) or f"V{size}")


@dataclass(frozen=True)
class CellLayout:
    """Where the cells of a box lie in its buffer: back to back, in C order, each in C order.

    Parameters
    ----------
    box
        Region that the buffer holds. If cells are padded to their full width, it stops beyond the
        end of the array.
    widths
        Width of the cells' grid along every axis, in elements; the grid starts at 0.
    gap
        Bytes behind each cell in the buffer, for its checksum.
    """

    box: Box
    widths: tuple[int, ...]
    gap: int = 0

    # Every chunk asks for these three.
    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Elements of the box along every axis."""
        return self.box.shape

    @cached_property
    def size(self) -> int:
        """Elements of the box."""
        return self.box.size

    @cached_property
    def along(self) -> tuple[int, ...]:
        """Number of cells along every axis."""
        axes = zip(self.widths, self.box.start, self.box.stop, strict=True)
        return tuple(len(_meeting(w, lo, hi)) for w, lo, hi in axes)

    def nbytes(self, itemsize: int) -> int:
        """Return the size of the buffer in bytes."""
        return self.size * itemsize + self.gap * self.count

    def byte_offset(self, cell: Box, itemsize: int) -> int:
        """Return the number of bytes before `cell` in the buffer."""
        gaps = self.gap * self.position(cell) if self.gap else 0
        return self.offset(cell) * itemsize + gaps

    def cells(self, region: Box | None = None) -> Iterator[Box]:
        """Yield the cells, or those that meet a region, in the order in which they are stored."""
        part = self.box if region is None else self.box & region
        axes = zip(self.widths, part.start, part.stop, strict=True)
        for index in itertools.product(*(_meeting(w, lo, hi) for w, lo, hi in axes)):
            yield self.cell(index)

    def cell(self, index: Sequence[int]) -> Box:
        """Return the cell that is the overlap of the box and the block of the grid at `index`."""
        first = tuple(map(operator.mul, index, self.widths))
        last = map(operator.add, first, self.widths)
        start = tuple(map(max, first, self.box.start))
        return Box(start, tuple(map(max, start, map(min, last, self.box.stop))))

    def cell_at(self, position: int) -> Box:
        """Return the cell before which there are `position` others in the buffer."""
        along = self.along
        index = np.unravel_index(position, along) if along else ()
        first = [lo // w for w, lo in zip(self.widths, self.box.start, strict=True)]
        return self.cell([base + int(i) for base, i in zip(first, index, strict=True)])

    def cells_at(self, positions: range) -> Iterator[Box]:
        """Return the cells at some positions, one behind the other, in the buffer."""
        return itertools.islice(self.cells(), positions.start, positions.stop)

    def offset(self, cell: Box) -> int:
        """Return the number of elements before `cell` in the buffer.

        For every axis these are the cells to the left, which are as wide as this cell on the axes
        before and as wide as the box on the axes after.
        """
        before, rest, total = 1, self.size, 0
        for lo, first, extent, width in zip(
            self.box.start, cell.start, self.shape, cell.shape, strict=True
        ):
            rest //= max(1, extent)
            total += before * (first - lo) * rest
            before *= width
        return total

    def position(self, cell: Box) -> int:
        """Return the number of cells before `cell` in the buffer."""
        position = 0
        for w, lo, hi, first in zip(
            self.widths, self.box.start, self.box.stop, cell.start, strict=True
        ):
            position = position * len(_meeting(w, lo, hi)) + first // w - lo // w
        return position

    @property
    def count(self) -> int:
        """Number of cells."""
        return prod(self.along)


def _meeting(width: int, lo: int, hi: int) -> range:
    return range(lo // width, -(-hi // width)) if hi > lo else range(0)


class _Segment(NamedTuple):
    """Part of an axis that meets one cell, or several whole cells of the same width."""

    start: int  # first element of the part
    cell: int  # first element of its first cell
    cells: int  # number of cells
    extent: int  # width of each of them
    length: int  # elements taken from each


@lru_cache(maxsize=4096)  # the chunks of a row have all axes but one in common
def _segments(lo: int, hi: int, width: int, start: int, stop: int) -> list[_Segment]:
    """Split [start, stop) of an axis, whose box is [lo, hi), at the cells that are not whole."""
    out: list[_Segment] = []
    while start < stop:
        first = start // width * width
        left, right = max(first, lo), min(first + width, hi)
        whole = (stop - start) // width if left == first == start else 0
        if whole:
            out.append(_Segment(start, start, whole, width, width))
            start += whole * width
        else:
            out.append(_Segment(start, left, 1, right - left, min(stop, right) - start))
            start += out[-1].length
    return out


def scatter(layout: CellLayout, buffer: Bytes, start: Sequence[int], data: npt.NDArray[Any]) -> int:
    """Copy the part of `data` that lies in the box into the cells of `buffer`.

    Parameters
    ----------
    layout
        The cells.
    buffer
        Bytes of the cells, contiguous.
    start
        Position of the first element of `data` in the whole array.
    data
        NumPy array of fixed-size elements.

    Returns
    -------
    int
        Number of elements copied.
    """
    whole = Box(tuple(start), tuple(map(operator.add, start, data.shape)))
    region = whole & layout.box
    size = region.size
    if not size:
        return 0
    box = layout.box
    axes = map(_segments, box.start, box.stop, layout.widths, region.start, region.stop)
    for parts in itertools.product(*axes):
        _copy_part(layout, buffer, whole.start, data, parts)
    return size


def _copy_part(
    layout: CellLayout,
    buffer: Bytes,
    start: Sequence[int],
    data: npt.NDArray[Any],
    parts: Sequence[_Segment],
) -> None:
    """Copy a region in which the cells have one width per axis: a single strided copy."""
    item = data.itemsize
    corner = [p.start - base for p, base in zip(parts, start, strict=True)]
    shape, into, out_of = [], [], []
    before, rest, inner = item, layout.size, prod([p.extent for p in parts])
    offset = gaps = 0
    if layout.gap:
        first = Box(tuple([p.cell for p in parts]), tuple([p.cell + p.extent for p in parts]))
        offset, gaps = layout.gap * layout.position(first), layout.gap * layout.count
    axes = zip(parts, layout.box.start, layout.shape, layout.along, data.strides, strict=True)
    for p, lo, extent, cells, stride in axes:
        rest //= extent
        inner //= p.extent
        gaps //= cells  # those of all cells from one cell to the next along this axis
        # As in `CellLayout.offset`; and of the cell, what lies before the part.
        offset += before * (p.cell - lo) * rest + (p.start - p.cell) * inner * item
        shape += [p.cells, p.length]
        into += [before * p.extent * rest + gaps, inner * item]
        out_of += [p.extent * stride, stride]
        before *= p.extent
    _strided_copy(buffer, offset, into, data, corner, out_of, shape)


def _strided_copy(
    buffer: Bytes,
    offset: int,
    into: list[int],
    data: npt.NDArray[Any],
    corner: list[int],
    out_of: list[int],
    shape: list[int],
) -> None:
    """Copy elements from `corner` on between two views; strides are in bytes."""
    item, flat = data.itemsize, data.flags.c_contiguous
    axes = [axis for axis in zip(shape, into, out_of, strict=True) if axis[0] > 1]
    if flat and axes and axes[-1][1] == axes[-1][2] == item:
        item *= axes.pop()[0]  # a run of elements moves as one: half the time of numpy's own loop
    dims, strides = [n for n, _, _ in axes], [s for _, _, s in axes]
    dtype = word_of(item)
    target = np.ndarray(dims, dtype, buffer, offset, [s for _, s, _ in axes])
    if flat:
        first = sum(map(operator.mul, corner, data.strides))
        origin = np.ndarray(dims, dtype, data.reshape(-1).view(np.uint8), first, strides)
    else:
        view = data[tuple(slice(i, None) for i in corner)]
        origin = np.lib.stride_tricks.as_strided(view, dims, strides, writeable=False)
        target = target.view(data.dtype)
    if len(dims) < 2:
        target[...] = origin
        return
    step = max(1, _CACHE_BYTES // (prod(dims[1:]) * item))
    for row in range(0, dims[0], step):
        target[row : row + step] = origin[row : row + step]
