"""Planner: the search for the cheapest chain of grids whose tasks fit in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from math import prod

import numpy as np
import numpy.typing as npt
from rechunker.candidates import AxisTable, axis_table, tabulate
from rechunker.figures import Combinations, StageFigures, predict, seconds, within
from rechunker.grids import Grid
from rechunker.layouts import LAYOUTS, Footprint, Layout
from rechunker.problem import Problem

__all__ = ["Footprint", "Found", "Layout", "least_memory", "search"]

# How many widths are tried along an axis: the first number that leaves few enough combinations.
_RUNGS = (400, 256, 128, 96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2)
_MAX_COMBINATIONS = 100_000


@dataclass(frozen=True)
class Found:
    """The plan that was chosen.

    Parameters
    ----------
    cost
        Its modelled time in seconds.
    grids
        One grid per stage.
    figures
        The predictions for every stage; each is an array of one exact integer.
    """

    cost: float
    grids: tuple[Grid, ...]
    figures: tuple[StageFigures, ...]

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """How the tasks of every stage keep their boxes."""
        return tuple(LAYOUTS[int(stage.layout[0])] for stage in self.figures)


def search(problem: Problem, max_mem: int) -> Found | None:
    """Return the cheapest plan whose tasks hold at most `max_mem` bytes.

    Parameters
    ----------
    problem
        What has to be rechunked.
    max_mem
        Bytes that one task may hold.

    Returns
    -------
    Found or None
        None if no plan fits.
    """
    best: Found | None = None
    for hops in range(problem.max_hops + 1):
        # The copies that more hops make cost time, whatever the boxes.
        if best and best.cost <= problem.cost.floor(problem.nbytes, problem.units, hops):
            break
        found = _cheapest(problem, hops, max_mem)
        if found and (best is None or found.cost < best.cost):
            best = found
    return best


def least_memory(problem: Problem) -> int:
    """Return the smallest `max_mem` for which `search` finds a plan.

    The candidates of the search do not depend on memory, so the least that any of them needs is
    the answer.
    """
    return int(min(_least_peak(problem, hops) for hops in range(problem.max_hops + 1)))


def _least_peak(problem: Problem, hops: int) -> float:
    combinations = _combinations(problem, hops)
    combinations.keep(within(problem, combinations, np.inf))
    return float(_peak(tuple(predict(problem, combinations))).min(initial=np.inf))


def _cheapest(problem: Problem, hops: int, max_mem: int) -> Found | None:
    combinations = _combinations(problem, hops)
    combinations.keep(within(problem, combinations, max_mem))
    figures = tuple(predict(problem, combinations))
    peak = _peak(figures)
    cost = np.where(peak <= max_mem, seconds(problem.cost, figures), np.inf)
    if not np.isfinite(cost).any():
        return None
    equal = np.flatnonzero(cost <= cost.min() * (1 + 1e-12))
    row = int(equal[np.argmin(peak[equal])])
    return _exactly(problem, combinations, row)


def _exactly(problem: Problem, combinations: Combinations, row: int) -> Found:
    """Predict one combination again in integers: products of counts can exceed what floats hold."""
    chains = combinations.chains(row)
    axes = zip(problem.shape, problem.source, problem.target, chains, strict=True)
    tables = [tabulate(n, s, t, [chain], dtype=object) for n, s, t, chain in axes]
    one = Combinations(tables, combinations.hops, dtype=object)
    figures = tuple(predict(problem, one))
    grids = tuple(tuple(chain[stage] for chain in chains) for stage in range(len(figures)))
    return Found(float(seconds(problem.cost, figures)[0]), grids, figures)


def _peak(figures: tuple[StageFigures, ...]) -> npt.NDArray[np.float64]:
    return reduce(np.maximum, (stage.memory for stage in figures))


def _combinations(problem: Problem, hops: int) -> Combinations:
    """Return all combinations of the finest candidates that are few enough."""
    for tables in _tables(problem, hops):
        if prod(len(table.chains) for table in tables) <= _MAX_COMBINATIONS:
            break
    return Combinations(tables, hops)


def _tables(problem: Problem, hops: int) -> Iterator[list[AxisTable]]:
    for rungs in _RUNGS:
        yield [
            axis_table(n, s, t, hops=hops, rungs=rungs, whole=problem.whole)
            for n, s, t in zip(problem.shape, problem.source, problem.target, strict=True)
        ]
