"""What plans are measured against: a lower bound, and boxes that are filled axis by axis."""

from __future__ import annotations

from math import prod

import numpy as np

from rechunker.planning import CostModel, RechunkPlan, axis_widest
from rechunker.planning.candidates import tabulate
from rechunker.planning.grids import axis_count, ceil_div
from rechunker.planning.predictions import Combinations, predict, seconds
from rechunker.planning.problem import make_problem

Widths = tuple[int, ...]


def lower_bound(plan: RechunkPlan, cost: CostModel, max_hops: int = 4) -> float:
    """Return a time that no plan beats whose tasks keep to its memory and talk through stores.

    It counts as if units divided the shape: it is proven only where they do.
    """
    return min(_bound(plan, cost, hops) for hops in range(max_hops + 1))


def _bound(plan: RechunkPlan, cost: CostModel, hops: int) -> float:
    """Bound plans of so many hops, over all ways to share the work of bringing units together.

    A box with room for a source and a target unit at a time takes `factor` times the memory.
    Reading the source `again` times; leaves a factor of ``factor / again``, and of several
    hops each takes a root of that as many cells per box. Between two values of `again`, the
    number of reads is bounded by the lower one, that of cells by the higher one.
    """
    axes = list(zip(plan.shape, plan.source_chunks, plan.target_chunks, strict=True))
    nbytes = prod(plan.shape) * plan.itemsize
    together = prod(max(axis_widest(n, s), t) for n, s, t in axes) * plan.itemsize
    factor = max(1.0, together / plan.max_mem)
    again = np.geomspace(1, factor, 200) if hops else np.array([factor, factor])
    fewest = max(1.0, nbytes / plan.max_mem)  # tasks of a stage
    cells = hops * fewest * (factor / again[1:]) ** (1 / max(hops, 1))
    gets = prod(axis_count(n, s) for n, s, _ in axes) * again[:-1] + cells
    puts = prod(ceil_div(n, t) for n, _, t in axes) + hops * fewest
    moved = nbytes * (2 * hops + 1 + again[:-1])
    work = cost.request * (gets + puts) + cost.byte * moved + cost.task * (hops + 1) * fewest
    return float(work.min()) / cost.workers


def filled(shape: Widths, chunks: Widths, limits: Widths, elements: float) -> Widths:
    """Widen chunks in whole multiples, the last axis first, until a box is full."""
    widths = [min(c, n) for c, n in zip(chunks, shape, strict=True)]
    for axis in reversed(range(len(shape))):
        room = int(elements // prod(widths))
        chunk = widths[axis]
        multiples = min(room, ceil_div(min(limits[axis], shape[axis]), chunk))
        widths[axis] = chunk * max(1, multiples)
    return tuple(widths)


def consolidated(shape: Widths, source: Widths, target: Widths, elements: float) -> list[Widths]:
    """Return read and write boxes as a greedy planner chooses them.

    Write boxes are filled first; read boxes then, on the axes on which they are narrower.
    """
    write = filled(shape, target, shape, elements)
    limits = tuple(max(r, w) for r, w in zip(source, write, strict=True))
    read = filled(shape, source, limits, elements)
    return [read, write]


def evaluate(
    shape: Widths,
    source: Widths,
    target: Widths,
    itemsize: int,
    grids: list[Widths],
    cost: CostModel,
) -> tuple[float, int]:
    """Return time and peak memory of a chain of given grids."""
    problem = make_problem(shape, source, target, itemsize, cost=cost, max_hops=len(grids) - 1)
    tables = [
        tabulate(n, s, t, [tuple(grid[i] for grid in grids)], dtype=object)
        for i, (n, s, t) in enumerate(zip(shape, problem.source, problem.target, strict=True))
    ]
    figures = list(predict(problem, Combinations(tables, len(grids) - 1, dtype=object)))
    peak = max(int(stage.memory[0]) for stage in figures)
    return float(seconds(cost, figures)[0]), peak
