"""Ladders: widths of boxes along one axis, from the narrowest to the whole axis."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import isqrt

import numpy as np

from rechunker.planning.grids import Axis, ceil_div, simplify_axis

__all__ = ["at_most", "between", "ladder", "run_ladder"]

# Every rung of an irregular axis takes a pass over its blocks.
_IRREGULAR_RUNGS = 32


def ladder(n: int, step: int, rungs: int) -> list[int]:
    """Return multiples of `step`: for each of up to `rungs` task counts the narrowest that do."""
    units = ceil_div(n, step)
    root = isqrt(units)
    if 2 * root + 1 <= rungs:  # then every count has its rung: these are all quotients there are
        multiples = {*range(1, root + 1), *(ceil_div(units, m) for m in range(1, root + 2))}
    else:
        multiples = {ceil_div(units, count) for count in _geometric(units, rungs)}
    return [multiple * step for multiple in sorted(multiples)]


def _geometric(stop: int, rungs: int) -> list[int]:
    """Return about `rungs` integers from 1 to `stop`, each larger by the same factor."""
    return sorted({max(1, round(stop ** (i / (rungs - 1)))) for i in range(rungs)})


def run_ladder(n: int, blocks: tuple[int, ...], rungs: int) -> list[tuple[int, Axis]]:
    """Return grids of runs of whole blocks, from single blocks to all, with the runs' limits."""
    rungs, widest = min(rungs, _IRREGULAR_RUNGS), max(blocks)
    found: dict[int, Axis] = {widest: blocks}
    for count in _geometric(len(blocks), rungs):
        limit = max(widest + 1, ceil_div(n, count))
        found[limit] = _runs(blocks, limit)
    return [(limit, simplify_axis(n, axis)) for limit, axis in sorted(found.items())]


def _runs(blocks: tuple[int, ...], limit: int) -> tuple[int, ...]:
    """Put neighbouring blocks together, from the left, as long as `limit` allows."""
    edges = np.cumsum((0, *blocks))
    cuts = [0]
    while cuts[-1] < len(blocks):
        cuts.append(int(np.searchsorted(edges, edges[cuts[-1]] + limit, side="right")) - 1)
    return tuple(np.diff(edges[cuts]).tolist())


def at_most(widths: Sequence[int], level: int) -> int:
    """Return the largest of the sorted `widths` that is at most `level`, or the smallest."""
    return widths[max(0, bisect_right(widths, level) - 1)]


def between(start: int, end: int, hops: int) -> tuple[int, ...]:
    """Return widths of the ``hops - 1`` stages between two others, in geometric steps.

    Counted from the narrower end, each is a multiple of the one before it: their cells are whole.
    """
    low, high = sorted((start, end))
    widths = [low]
    for step in range(1, hops):
        ideal = low * (high / low) ** (step / hops) * (1 + 1e-12)
        widths.append(widths[-1] * max(1, int(ideal // widths[-1])))
    return tuple(widths[1:] if start <= end else widths[:0:-1])
