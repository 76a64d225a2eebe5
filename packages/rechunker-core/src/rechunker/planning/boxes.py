"""Boxes: rectangular regions of an array, and the boxes that tasks and grid blocks cover."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from rechunker.planning.grids import Grid, axis_bounds, axis_count, axis_meets, unravel

__all__ = ["Box", "block", "blocks_meeting", "counts", "task_box"]


@dataclass(frozen=True)
class Box:
    """A rectangular region of an array: elements ``start[d] <= i < stop[d]`` along each axis ``d``.

    Parameters
    ----------
    start
        Index of the first element, one integer per axis.
    stop
        Index after the last element, one integer per axis.

    Examples
    --------
    >>> a, b = Box((0, 0), (4, 6)), Box((2, 3), (8, 9))
    >>> a & b, (a & b).shape
    (Box(start=(2, 3), stop=(4, 6)), (2, 3))
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of elements along each axis."""
        return tuple(map(operator.sub, self.stop, self.start))

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(map(operator.sub, self.stop, self.start))

    def __and__(self, other: Box) -> Box:
        start = tuple(map(max, self.start, other.start))
        return Box(start, tuple(map(max, start, map(min, self.stop, other.stop))))

    def from_origin(self, origin: Sequence[int]) -> Box:
        """Return the box as it is numbered from the element `origin` on."""
        start, stop = (tuple(map(operator.sub, edge, origin)) for edge in (self.start, self.stop))
        return Box(start, stop)

    def slices(self, origin: Sequence[int]) -> Any:
        """Return the index that selects this box from a buffer whose first element is `origin`.

        It ends with an ellipsis: without axes, NumPy would return a scalar and not a view. That has
        neither the byte order of its array nor all the bytes of a string.
        """
        parts = zip(self.start, self.stop, origin, strict=True)
        return (*(slice(lo - base, hi - base) for lo, hi, base in parts), ...)


def counts(shape: Sequence[int], grid: Grid) -> tuple[int, ...]:
    """Return the number of blocks of `grid` along each axis of an array of this shape."""
    return tuple(axis_count(n, axis) for n, axis in zip(shape, grid, strict=True))


def block(shape: Sequence[int], grid: Grid, index: Sequence[int]) -> Box:
    """Return the block of `grid` at `index`, clipped to the end of the array."""
    bounds = [axis_bounds(n, a, i) for n, a, i in zip(shape, grid, index, strict=True)]
    return Box(tuple(lo for lo, _ in bounds), tuple(hi for _, hi in bounds))


def task_box(shape: Sequence[int], grid: Grid, task: int) -> Box:
    """Return the box of task number `task`: tasks are numbered in C order of their blocks."""
    return block(shape, grid, unravel(task, counts(shape, grid)))


def blocks_meeting(shape: Sequence[int], grid: Grid, box: Box) -> Iterator[tuple[int, ...]]:
    """Yield the indices of the blocks of `grid` that overlap `box`, in C order."""
    axes = zip(shape, grid, box.start, box.stop, strict=True)
    return itertools.product(*(axis_meets(n, axis, lo, hi) for n, axis, lo, hi in axes))
