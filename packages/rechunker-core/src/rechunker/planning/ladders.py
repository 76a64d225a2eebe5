"""Ladders: lists of box widths to try along one axis, from the narrowest to the whole axis."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import isqrt

import numpy as np

from rechunker.planning.grids import Axis, ceil_div, simplify_axis

__all__ = ["intermediate_widths", "ladder", "largest_at_most", "run_ladder"]

# Each rung of an irregular axis takes a pass over all of its blocks.
_MAX_IRREGULAR_RUNGS = 32


def ladder(n: int, step: int, rungs: int) -> list[int]:
    """Return up to about `rungs` box widths, all multiples of `step`, in ascending order.

    Each width is the narrowest that covers an axis of length `n` with some number of boxes.
    """
    units = ceil_div(n, step)
    root = isqrt(units)
    if 2 * root + 1 <= rungs:  # enough rungs for every distinct value of ceil(units / count)
        multiples = {*range(1, root + 1), *(ceil_div(units, m) for m in range(1, root + 2))}
    else:
        multiples = {ceil_div(units, count) for count in _geometric(units, rungs)}
    return [multiple * step for multiple in sorted(multiples)]


def _geometric(stop: int, rungs: int) -> list[int]:
    """Return about `rungs` integers from 1 to `stop`, in geometric progression."""
    return sorted({max(1, round(stop ** (i / (rungs - 1)))) for i in range(rungs)})


def run_ladder(n: int, blocks: tuple[int, ...], rungs: int) -> list[tuple[int, Axis]]:
    """Return grids whose boxes are runs of whole `blocks`, each with its limit on the run length.

    The first grid has one block per box, the last one box for the whole axis.
    """
    rungs, widest = min(rungs, _MAX_IRREGULAR_RUNGS), max(blocks)
    grids: dict[int, Axis] = {widest: blocks}
    for count in _geometric(len(blocks), rungs):
        limit = max(widest + 1, ceil_div(n, count))
        grids[limit] = _merge_blocks(blocks, limit)
    return [(limit, simplify_axis(n, axis)) for limit, axis in sorted(grids.items())]


def _merge_blocks(blocks: tuple[int, ...], limit: int) -> tuple[int, ...]:
    """Merge neighbouring blocks from the left into runs of at most `limit` elements."""
    edges = np.cumsum((0, *blocks))
    cuts = [0]
    while cuts[-1] < len(blocks):
        cuts.append(int(np.searchsorted(edges, edges[cuts[-1]] + limit, side="right")) - 1)
    return tuple(np.diff(edges[cuts]).tolist())


def largest_at_most(widths: Sequence[int], level: int) -> int:
    """Return the largest of the sorted `widths` that is at most `level`, or else the smallest."""
    return widths[max(0, bisect_right(widths, level) - 1)]


def intermediate_widths(start: int, end: int, hops: int) -> tuple[int, ...]:
    """Return box widths for the ``hops - 1`` stages between two others, in geometric steps.

    Counted from the narrower end, each width is a multiple of the previous one, so that cells are
    whole boxes.
    """
    low, high = sorted((start, end))
    widths = [low]
    for step in range(1, hops):
        ideal = low * (high / low) ** (step / hops) * (1 + 1e-12)
        widths.append(widths[-1] * max(1, int(ideal // widths[-1])))
    return tuple(widths[1:] if start <= end else widths[:0:-1])
