"""Boxes: regions of an array with one start and one stop per axis."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from rechunker.planning.grids import Grid, axis_bounds, axis_count, axis_meets, unravel

__all__ = ["Box", "block", "blocks_meeting", "counts", "task_box"]


@dataclass(frozen=True)
class Box:
    """A region of an array: elements ``start[d] <= i < stop[d]`` of every axis ``d``."""

    start: tuple[int, ...]
    stop: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(hi - lo for lo, hi in zip(self.start, self.stop, strict=True))

    @property
    def size(self) -> int:
        return prod(self.shape)

    def __and__(self, other: Box) -> Box:
        start = tuple(map(max, self.start, other.start))
        return Box(start, tuple(map(max, start, map(min, self.stop, other.stop))))

    def slices(self, origin: Sequence[int]) -> tuple[slice, ...]:
        """Where the box lies within an array whose first element is `origin`."""
        parts = zip(self.start, self.stop, origin, strict=True)
        return tuple(slice(lo - base, hi - base) for lo, hi, base in parts)


def counts(shape: Sequence[int], grid: Grid) -> tuple[int, ...]:
    """Return the number of blocks of `grid` along every axis."""
    return tuple(axis_count(n, axis) for n, axis in zip(shape, grid, strict=True))


def block(shape: Sequence[int], grid: Grid, index: Sequence[int]) -> Box:
    """Return the block of `grid` at `index`, cut off at the end of the array."""
    bounds = [axis_bounds(n, a, i) for n, a, i in zip(shape, grid, index, strict=True)]
    return Box(tuple(lo for lo, _ in bounds), tuple(hi for _, hi in bounds))


def task_box(shape: Sequence[int], grid: Grid, task: int) -> Box:
    """Return the box that a task owns."""
    return block(shape, grid, unravel(task, counts(shape, grid)))


def blocks_meeting(shape: Sequence[int], grid: Grid, box: Box) -> Iterator[tuple[int, ...]]:
    """Yield the indices of the blocks of `grid` that meet `box`, in C order."""
    axes = zip(shape, grid, box.start, box.stop, strict=True)
    return itertools.product(*(axis_meets(n, axis, lo, hi) for n, axis, lo, hi in axes))
