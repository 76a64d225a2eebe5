"""Planner: the search for the cheapest chain of grids whose tasks fit in memory."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from math import prod

import numpy as np
import numpy.typing as npt

from rechunker.planning.candidates import Chain, Options, axis_table, chains, tabulate
from rechunker.planning.footprints import LAYOUTS, Footprint, Layout
from rechunker.planning.grids import Grid
from rechunker.planning.predictions import Combinations, StageFigures, predict, seconds, within
from rechunker.planning.problem import Problem

__all__ = ["Footprint", "Found", "Layout", "least_memory", "search"]

# How many widths are tried along an axis: the first number that leaves few enough combinations.
_RUNGS = tuple(range(400, 100, -50)) + tuple(range(100, 20, -10)) + tuple(range(20, 1, -2))
_MAX_COMBINATIONS = 1_000_000
# How many combinations are weighed at a time: their numbers stay in the processor's cache.
_BATCH = 1 << 16


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
        floor = problem.cost.floor(problem.nbytes, problem.units, max_mem, hops)
        if best and best.cost <= floor:
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
    peaks = [np.inf]
    for batch in _batches(problem, hops, np.inf):
        figures = tuple(predict(problem, batch))
        peaks.append(float(_peak(figures).min()))
    return min(peaks)


def _cheapest(problem: Problem, hops: int, max_mem: int) -> Found | None:
    """Return the cheapest plan that fits; among equally cheap ones, that which holds least."""
    best: tuple[float, float] = (np.inf, np.inf)
    chosen: list[Chain] | None = None
    for batch in _batches(problem, hops, max_mem):
        figures = tuple(predict(problem, batch))
        peak = _peak(figures)
        cost = np.where(peak <= max_mem, seconds(problem.cost, figures), np.inf)
        equal = np.flatnonzero(cost == cost.min())
        row = int(equal[np.argmin(peak[equal])])
        if (cost[row], peak[row]) < best and np.isfinite(cost[row]):
            best, chosen = (cost[row], peak[row]), batch.chains(row)
    return None if chosen is None else _exactly(problem, hops, chosen)


def _exactly(problem: Problem, hops: int, chosen: list[Chain]) -> Found:
    """Predict one combination again in integers: products of counts can exceed what floats hold."""
    axes = zip(problem.axes, chosen, strict=True)
    tables = [tabulate(*axis, [chain], dtype=object) for axis, chain in axes]
    figures = tuple(predict(problem, Combinations(tables, hops, dtype=object)))
    grids = tuple(tuple(chain[stage] for chain in chosen) for stage in range(hops + 1))
    return Found(float(seconds(problem.cost, figures)[0]), grids, figures)


def _peak(figures: tuple[StageFigures, ...]) -> npt.NDArray[np.float64]:
    return reduce(np.maximum, (stage.memory for stage in figures))


def _batches(problem: Problem, hops: int, max_mem: float) -> Iterator[Combinations]:
    """Yield the combinations whose boxes fit, some at a time."""
    combinations = _combinations(problem, hops)
    rows = np.flatnonzero(within(problem, combinations, max_mem))
    for start in range(0, rows.size, _BATCH):
        yield combinations.take(rows[start : start + _BATCH])


def _combinations(problem: Problem, hops: int) -> Combinations:
    """Return all combinations of the finest candidates that are few enough."""

    def few(rungs: int) -> bool:
        options = Options(hops, rungs, problem.whole)
        return prod(len(chains(*axis, options)) for axis in problem.axes) <= _MAX_COMBINATIONS

    rungs = _RUNGS[min(bisect_left(_RUNGS, True, key=few), len(_RUNGS) - 1)]
    options = Options(hops, rungs, problem.whole)
    tables = [axis_table(*axis, options) for axis in problem.axes]
    if not few(rungs):  # ten axes or more
        most = int(_MAX_COMBINATIONS ** (1 / len(tables)))
        tables = [table.thin(most) for table in tables]
    return Combinations(tables, hops)
