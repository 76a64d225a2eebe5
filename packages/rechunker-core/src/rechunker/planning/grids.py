"""Grids: arithmetic on the blocks of a partition along one axis, without listing the blocks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from math import gcd, lcm
from typing import TypeAlias

import numpy as np

__all__ = [
    "Axis",
    "Grid",
    "axis_bounds",
    "axis_count",
    "axis_meets",
    "axis_widest",
    "blocks_met",
    "ceil_div",
    "cell_count",
    "cell_widest",
    "elements_fetched",
    "format_grid",
    "most_met",
    "regular_grid",
    "simplify_axis",
    "unravel",
]

Axis: TypeAlias = int | tuple[int, ...]
"""One axis of a grid: one width for all blocks (regular), or the size of each block (irregular)."""

Grid: TypeAlias = tuple[Axis, ...]
"""A partition of an array into blocks: one `Axis` per dimension."""


def ceil_div(a: int, b: int) -> int:
    """Return `a` divided by `b`, rounded up.

    Examples
    --------
    >>> ceil_div(10, 3), ceil_div(9, 3), ceil_div(0, 3)
    (4, 3, 0)
    """
    return -(-a // b)


@lru_cache(maxsize=64)
def _edges(sizes: tuple[int, ...]) -> tuple[int, ...]:
    return (0, *accumulate(sizes))


def _edge_array(n: int, axis: Axis) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if isinstance(axis, int):
        return np.append(np.arange(0, n, axis, dtype=np.int64), np.int64(n))
    return np.cumsum((0, *axis), dtype=np.int64)


def axis_count(n: int, axis: Axis) -> int:
    """Return the number of blocks along an axis.

    Parameters
    ----------
    n
        Length of the axis in elements.
    axis
        Width of all blocks in elements (the last block may be shorter), or a tuple with the size
        of each block; the sizes add up to `n`.

    Examples
    --------
    >>> axis_count(10, 4), axis_count(10, (5, 2, 3)), axis_count(0, 4)
    (3, 3, 0)
    """
    return ceil_div(n, axis) if isinstance(axis, int) else len(axis)


def axis_bounds(n: int, axis: Axis, i: int) -> tuple[int, int]:
    """Return the start and the stop of block `i` along an axis.

    Examples
    --------
    >>> axis_bounds(10, 4, 2), axis_bounds(10, (5, 2, 3), 1)
    ((8, 10), (5, 7))
    """
    if isinstance(axis, int):
        return i * axis, min((i + 1) * axis, n)
    edges = _edges(axis)
    return edges[i], edges[i + 1]


def axis_meets(n: int, axis: Axis, lo: int, hi: int) -> range:
    """Return the indices of the blocks that overlap the interval ``[lo, hi)``.

    Examples
    --------
    >>> axis_meets(10, 4, 3, 9), axis_meets(10, (5, 2, 3), 5, 7), axis_meets(10, 4, 3, 3)
    (range(0, 3), range(1, 2), range(0, 0))
    """
    hi = min(hi, n)
    if lo >= hi:
        return range(0)
    if isinstance(axis, int):
        return range(lo // axis, ceil_div(hi, axis))
    edges = _edges(axis)
    return range(bisect_right(edges, lo) - 1, bisect_left(edges, hi))


def axis_widest(n: int, axis: Axis) -> int:
    """Return the number of elements in the largest block.

    Examples
    --------
    >>> axis_widest(10, 4), axis_widest(10, 40), axis_widest(10, (5, 2, 3))
    (4, 10, 5)
    """
    return min(axis, n) if isinstance(axis, int) else max(axis, default=0)


def simplify_axis(n: int, axis: Axis) -> Axis:
    """Return the single block width if the blocks are regular, otherwise the axis unchanged.

    Blocks are regular if all have the same size, except that the last one may be shorter. A width
    is clipped to the length of the axis.

    Examples
    --------
    >>> simplify_axis(10, (4, 4, 2)), simplify_axis(10, (4, 2, 4)), simplify_axis(10, 40)
    (4, (4, 2, 4), 10)
    """
    if isinstance(axis, int):
        return min(axis, max(n, 1))
    if n == 0:
        return 1
    first, *rest = axis
    regular = all(size == first for size in rest[:-1]) and all(size <= first for size in rest)
    return first if regular else axis


def regular_grid(grid: Grid) -> tuple[int, ...] | None:
    """Return the block width of each axis, or None if any axis is irregular.

    Examples
    --------
    >>> regular_grid((4, 6)), regular_grid((4, (5, 2, 3)))
    ((4, 6), None)
    """
    widths = tuple(axis for axis in grid if isinstance(axis, int))
    return widths if len(widths) == len(grid) else None


def cell_count(n: int, a: Axis, b: Axis) -> int:
    """Return the number of cells along an axis: overlaps of a block of `a` with a block of `b`.

    A cell starts at every edge of either grid. Two regular grids share an edge at every common
    multiple of their widths.

    Examples
    --------
    >>> cell_count(12, 4, 6), cell_count(12, 4, 4), cell_count(12, (5, 7), 6)
    (4, 3, 3)
    """
    if isinstance(a, int) and isinstance(b, int):
        return ceil_div(n, a) + ceil_div(n, b) - ceil_div(n, lcm(a, b))
    return len(np.union1d(_edge_array(n, a), _edge_array(n, b))) - 1


def cell_widest(n: int, a: Axis, b: Axis) -> int:
    """Return the number of elements in the largest cell of the grids `a` and `b`.

    Examples
    --------
    >>> cell_widest(12, 4, 6), cell_widest(12, (5, 7), 6)
    (4, 6)
    """
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b, n)  # both grids start at 0, so the first cell is as large as any
    return int(np.diff(np.union1d(_edge_array(n, a), _edge_array(n, b))).max(initial=0))


def most_met(n: int, boxes: Axis, blocks: Axis) -> int:
    """Return the largest number of blocks that one box meets along an axis.

    Examples
    --------
    >>> most_met(12, 6, 4), most_met(12, 4, 6), most_met(12, 4, 4), most_met(12, (5, 7), 2)
    (2, 2, 1, 4)
    """
    if isinstance(boxes, int) and isinstance(blocks, int):
        # The box that starts latest within a block meets the most.
        whole = (boxes + blocks - gcd(boxes, blocks) - 1) // blocks + 1
        return min(whole, axis_count(n, blocks))
    edges = _edge_array(n, boxes)
    bounds = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return max((len(axis_meets(n, blocks, lo, hi)) for lo, hi in bounds), default=0)


def blocks_met(n: int, boxes: Axis, width: int) -> list[int]:
    """Return the number of blocks of `width` elements that each box meets along an axis.

    Examples
    --------
    >>> blocks_met(12, 5, 4), blocks_met(12, (5, 7), 2)
    ([2, 2, 1], [3, 4])
    """
    edges = _edge_array(n, boxes)
    met: list[int] = (-(-edges[1:] // width) - edges[:-1] // width).tolist()
    return met


def elements_fetched(n: int, units: Axis, boxes: Axis) -> int:
    """Return the number of elements read if each box reads every unit that it overlaps in full.

    Parameters
    ----------
    n
        Length of the axis in elements.
    units
        Grid of the units (chunks or shards), which can only be read whole.
    boxes
        Grid of the boxes, one per reading task.

    Examples
    --------
    In the first case the boxes [0, 6) and [6, 10) both read the unit [4, 8):

    >>> elements_fetched(10, 4, 6), elements_fetched(10, 4, 8), elements_fetched(10, (4, 6), 5)
    (14, 10, 16)
    """
    if not (isinstance(units, int) and isinstance(boxes, int)):
        return _elements_fetched_irregular(n, units, boxes)
    if n == 0:
        return 0
    last = (ceil_div(n, units) - 1) * units  # start of the last unit, which may be shorter
    readers_of_last = ceil_div(n, boxes) - last // boxes
    whole = cell_count(n, units, boxes) - readers_of_last
    return units * whole + (n - last) * readers_of_last


def _elements_fetched_irregular(n: int, units: Axis, boxes: Axis) -> int:
    edges, readers = _edge_array(n, units), _edge_array(n, boxes)
    first = np.searchsorted(readers, edges[:-1], side="right") - 1
    stop = np.searchsorted(readers, edges[1:], side="left")
    return int(np.dot(np.diff(edges), stop - first))


def unravel(index: int, counts: Sequence[int]) -> tuple[int, ...]:
    """Return the position of block number `index` (in C order) in a grid of ``counts`` blocks.

    Examples
    --------
    >>> unravel(5, (2, 3)), unravel(0, ())
    ((1, 2), ())
    """
    position: list[int] = []
    for count in reversed(counts):
        index, along = divmod(index, count)
        position.append(along)
    return tuple(reversed(position))


def format_grid(grid: Grid) -> str:
    """Format a grid as a tuple; an irregular axis as its number of blocks and the largest size.

    Examples
    --------
    >>> format_grid((24, 721)), format_grid(((5, 2, 3),))
    ('(24, 721)', '(3 x <=5,)')
    """
    return "(" + ", ".join(map(_format_axis, grid)) + ("," if len(grid) == 1 else "") + ")"


def _format_axis(axis: Axis) -> str:
    return str(axis) if isinstance(axis, int) else f"{len(axis)} x <={max(axis)}"
