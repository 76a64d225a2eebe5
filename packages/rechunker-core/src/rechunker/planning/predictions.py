"""Figures: what is predicted for many candidate plans at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rechunker.planning.candidates import AxisTable, Chain
from rechunker.planning.costs import CostModel
from rechunker.planning.footprints import Load, cheapest_layout
from rechunker.planning.problem import Problem

__all__ = ["Combinations", "StageFigures", "predict", "seconds"]

Numbers = npt.NDArray[Any]  # float64 in the search, exact Python integers for the chosen plan

# S3 takes at most 5 GB in one request, and a temporary object is written in one.
_MAX_OBJECT = 5 * 10**9


class StageFigures(NamedTuple):
    """What is predicted for one stage: arrays with one entry per candidate plan."""

    tasks: Numbers
    gets: Numbers
    puts: Numbers
    bytes_read: Numbers
    bytes_written: Numbers
    memory: Numbers
    layout: npt.NDArray[np.intp]  # index in LAYOUTS


class Combinations:
    """Combinations of one candidate per axis, all of them or some.

    Parameters
    ----------
    tables
        The candidates of every axis.
    hops
        Number of temporary copies, the same for all.
    dtype
        Of the numbers in the tables.
    rows
        Which combinations these are, by their numbers in C order; all by default.
    """

    def __init__(
        self,
        tables: Sequence[AxisTable],
        hops: int,
        dtype: npt.DTypeLike = np.float64,
        rows: npt.NDArray[np.intp] | None = None,
    ) -> None:
        self.tables, self.hops, self._dtype = tables, hops, dtype
        sizes = tuple(len(table.chains) for table in tables)
        self._size = prod(sizes) if rows is None else rows.size
        self._at = None if rows is None else np.unravel_index(rows, sizes) if sizes else ()

    def __len__(self) -> int:
        return self._size

    def product(self, name: str, *stage: int) -> Numbers:
        """Multiply a row of the tables over the axes: one number per combination."""
        rows = [getattr(table, name)[stage] for table in self.tables]
        if self._at is None:
            one = np.ones((), dtype=self._dtype)
            return reduce(np.multiply.outer, rows, one).reshape(-1)
        chosen = (row[at] for row, at in zip(rows, self._at, strict=True))
        return reduce(np.multiply, chosen, np.ones(self._size, dtype=self._dtype))

    def take(self, rows: npt.NDArray[np.intp]) -> Combinations:
        """Return some of all combinations, by their numbers in C order."""
        return Combinations(self.tables, self.hops, self._dtype, rows)

    def chains(self, row: int) -> list[Chain]:
        """Return the chain of every axis in one combination of those that were taken."""
        taken = zip(self.tables, self._at or (), strict=True)
        return [table.chains[at[row]] for table, at in taken]


def within(problem: Problem, combinations: Combinations, max_mem: float) -> npt.NDArray[np.bool_]:
    """Tell which combinations have boxes that fit in memory, and in temporary objects."""
    fits = np.ones(len(combinations), dtype=np.bool_)
    for stage in range(combinations.hops + 1):
        limit = max_mem if stage == combinations.hops else min(max_mem, _MAX_OBJECT)
        fits &= problem.itemsize * combinations.product("box", stage) <= limit
    return fits


def predict(problem: Problem, combinations: Combinations) -> Iterator[StageFigures]:
    """Yield what is predicted for every stage, from the first to the last."""
    for stage in range(combinations.hops + 1):
        yield _predict_stage(problem, combinations, stage)


def _predict_stage(problem: Problem, combinations: Combinations, stage: int) -> StageFigures:
    last = stage == combinations.hops
    tasks = combinations.product("tasks", stage)
    reads = combinations.product("reads", stage)
    once = problem.nbytes + 0 * tasks  # every element, by one task
    memory, layout = cheapest_layout(
        Load(
            box=problem.itemsize * combinations.product("box", stage),
            padded=problem.itemsize * combinations.product("padded"),
            cell=problem.itemsize * combinations.product("cell", stage),
            single=(reads == tasks).astype(np.bool_),
            first=stage == 0,
            last=last,
            cut=problem.cut,
            same=problem.same,
        ),
        problem.footprint,
    )
    return StageFigures(
        tasks=tasks,
        gets=reads * (problem.cost.requests_per_cell() if stage else 1),
        puts=problem.target_units + 0 * tasks if last else tasks,
        bytes_read=once if stage else problem.itemsize * combinations.product("fetched"),
        bytes_written=once,
        memory=memory,
        layout=layout,
    )


def seconds(cost: CostModel, stages: Sequence[StageFigures]) -> Numbers:
    """Return the modelled time of whole plans."""
    each = (_stage_seconds(cost, figures, i, len(stages)) for i, figures in enumerate(stages))
    return reduce(np.add, each)


def _stage_seconds(cost: CostModel, figures: StageFigures, stage: int, stages: int) -> Numbers:
    out_of = cost.temp if stage else cost.stored
    into = cost.temp if stage < stages - 1 else cost.stored
    return cost.seconds(
        tasks=figures.tasks,
        requests=figures.gets + figures.puts,
        stored_bytes=out_of * figures.bytes_read + into * figures.bytes_written,
    )
