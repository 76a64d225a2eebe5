"""Different places: the first chunks and elements in which two arrays differ."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from rechunker.copying import Lane, Lanes, is_variable_length, part_of, sum_of, words_of
from rechunker.planning import Box, Grid, block, blocks_meeting, counts, regular_grid
from rechunker.sources import SourceArray

__all__ = ["different_places"]

Index = tuple[int, ...]

# Cells of an array that have sums of their own, at most.
_CELLS = 1 << 16
# Elements of a chunk that are named.
_ELEMENTS = 5


def different_places(
    a: SourceArray, b: SourceArray, most: int
) -> Iterator[tuple[Index, tuple[Index, ...]]]:
    """Yield chunks of the second of two arrays that differ from the first one.

    Parameters
    ----------
    a, b
        Arrays of one shape.
    most
        Number of chunks to find.

    Yields
    ------
    tuple
        Index of a chunk, and the indices of its first elements that differ.
    """
    with Lanes(1) as lanes:
        found = 0
        for cell in _different_cells(a, b, lanes.first):
            for index in blocks_meeting(b.shape, b.grid, cell):
                box = block(b.shape, b.grid, index) & cell
                elements = _different_elements(a, b, box, lanes.first)
                if elements:
                    yield index, elements
                    found += 1
                if found == most:
                    return


def _different_cells(a: SourceArray, b: SourceArray, lane: Lane) -> Iterator[Box]:
    """Yield the cells of a grid whose sums differ; each consists of chunks of the second array."""
    grid = _cells(b)
    differ = _sums(a, grid, lane) != _sums(b, grid, lane)
    for index in np.argwhere(differ):
        yield block(b.shape, grid, tuple(map(int, index)))


def _cells(b: SourceArray) -> Grid:
    units = regular_grid(b.grid)
    if units is None:
        return b.grid
    widths = [max(1, width) for width in units]
    while prod(counts(b.shape, tuple(widths))) > _CELLS:
        numbers = counts(b.shape, tuple(widths))
        widths[numbers.index(max(numbers))] *= 2
    return tuple(widths)


def _sums(source: SourceArray, grid: Grid, lane: Lane) -> npt.NDArray[np.uint64]:
    """Return the sum of each cell."""
    sums = np.zeros(counts(source.shape, grid), np.uint64)
    whole = Box((0,) * len(source.shape), source.shape)
    for box, data in _pieces(source, whole, lane):
        for index in blocks_meeting(source.shape, grid, box):
            part, values = part_of(box.start, data, block(source.shape, grid, index))
            sums[index] = (int(sums[index]) + sum_of(values, part.start)) % 2**64
    return sums


def _pieces(source: SourceArray, box: Box, lane: Lane) -> Iterator[tuple[Box, npt.NDArray[Any]]]:
    """Yield the parts of an array that lie in a box."""
    for index in blocks_meeting(source.shape, source.grid, box):
        for start, data in source.reader.pieces(index, box, lane):
            part, values = part_of(start, data, box)
            if part.size:
                yield part, values


def _different_elements(a: SourceArray, b: SourceArray, box: Box, lane: Lane) -> tuple[Index, ...]:
    one, other = (_words(source, box, lane) for source in (a, b))
    places = np.argwhere((one != other).any(axis=-1))
    return tuple(
        tuple(int(i) + lo for i, lo in zip(place, box.start, strict=True))
        for place in itertools.islice(places, _ELEMENTS)
    )


def _words(source: SourceArray, box: Box, lane: Lane) -> npt.NDArray[np.uint32]:
    """Return the words of the elements in a box."""
    dtype = source.reader.dtype
    values = np.empty(box.shape, object if is_variable_length(dtype) else dtype)
    for part, data in _pieces(source, box, lane):
        values[part.slices(box.start)] = data
    return words_of(values)
