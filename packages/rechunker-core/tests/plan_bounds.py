"""What plans are measured against: boxes that are filled axis by axis."""

from __future__ import annotations

from math import prod

from rechunker.planning import CostModel
from rechunker.planning.candidates import tabulate
from rechunker.planning.grids import ceil_div
from rechunker.planning.predictions import Combinations, predict, seconds
from rechunker.planning.problem import make_problem

Widths = tuple[int, ...]


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
        tabulate(*axis, [tuple(grid[i] for grid in grids)], dtype=object)
        for i, axis in enumerate(problem.axes)
    ]
    figures = list(predict(problem, Combinations(tables, len(grids) - 1, dtype=object)))
    peak = max(int(stage.memory[0]) for stage in figures)
    return float(seconds(problem, figures)[0]), peak
