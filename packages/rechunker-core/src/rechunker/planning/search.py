"""Search for the cheapest chain of grids whose tasks fit in memory, stage by stage."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from math import prod

import numpy as np
import numpy.typing as npt

from rechunker.planning.candidates import (
    CandidateOptions,
    Chain,
    axis_table,
    candidate_chains,
    tabulate,
)
from rechunker.planning.footprints import LAYOUTS, Layout, Numbers
from rechunker.planning.grids import Grid
from rechunker.planning.predictions import (
    Combinations,
    StagePrediction,
    boxes_fit,
    predict,
    seconds,
)
from rechunker.planning.problem import Problem

__all__ = ["Solution", "minimum_memory", "search"]

# Numbers of widths to try per axis, finest first; the first with few enough combinations is used.
_RUNGS = tuple(range(400, 100, -50)) + tuple(range(100, 20, -10)) + tuple(range(20, 1, -2))
_MAX_COMBINATIONS = 1_000_000
# Most work of a plan for several workers, as a multiple of the best plan for one; and if it takes
# half the time: a hop writes and reads everything a second time, and has requests of its own.
WORK_LIMITS = (1.25, 2.2)
# Combinations to evaluate at a time, so that their arrays stay in the processor's cache.
_BATCH_SIZE = 1 << 16


@dataclass(frozen=True)
class Solution:
    """The cheapest plan that the search found.

    Parameters
    ----------
    cost
        Modelled time in seconds.
    grids
        One grid per stage.
    stages
        One prediction per stage; each figure is an array of one exact integer.
    """

    cost: float
    grids: tuple[Grid, ...]
    stages: tuple[StagePrediction, ...]

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """How the tasks of each stage hold their boxes in memory."""
        return tuple(LAYOUTS[int(stage.layout[0])] for stage in self.stages)


@lru_cache(maxsize=256)  # many arrays of a group are alike
def search(problem: Problem, max_mem: int) -> Solution | None:
    """Return the cheapest plan whose tasks hold at most `max_mem` bytes each, or None.

    Smaller boxes let more workers share the tasks, but read more, and more often. A plan for
    several workers is little more work than the best one for a single worker, unless that halves
    the time.

    Parameters
    ----------
    problem
        The array to be rechunked, with its costs.
    max_mem
        Memory limit per task in bytes.

    Returns
    -------
    Solution or None
        None if no plan fits in `max_mem`.
    """
    workers = problem.cost.workers
    least = _fastest(replace(problem, cost=replace(problem.cost, workers=1)), max_mem)
    if workers == 1 or least is None:
        return least
    work = float(_work(problem, least.stages)[0])
    first, *others = (_limited(problem, least, work, limit) for limit in WORK_LIMITS)
    best = _fastest(first, max_mem)
    for other in others:
        # No plan takes less time than the least work that all workers share.
        if best is not None and best.cost > 2 * work / problem.cost.in_flight / workers:
            faster = _fastest(other, max_mem)
            best = faster if faster is not None and faster.cost <= best.cost / 2 else best
    return best


def _limited(problem: Problem, least: Solution, work: float, limit: float) -> Problem:
    """Return a problem whose plans work, and read, at most some times as much as another plan."""
    amplification = limit * int(least.stages[0].bytes_read[0]) / problem.nbytes
    return replace(
        problem,
        max_work=limit * work,
        max_amplification=min(problem.max_amplification, amplification),
    )


def _fastest(problem: Problem, max_mem: int) -> Solution | None:
    """Return the plan that takes the least time of those that fit in memory, or None."""
    best: Solution | None = None
    for hops in range(problem.max_hops + 1):
        # Each hop copies the whole array, which takes time whatever the boxes are.
        bound = problem.cost.lower_bound(problem.nbytes, problem.total_objects, max_mem, hops)
        if best and best.cost <= bound:
            break
        candidate = _cheapest(problem, hops, max_mem)
        if candidate and (best is None or candidate.cost < best.cost):
            best = candidate
    return best


def minimum_memory(problem: Problem) -> int:
    """Return the smallest `max_mem`, in bytes, for which `search` finds a plan.

    Candidates do not depend on the memory limit, so this is the smallest peak memory of any. The
    one that holds the whole array reads it once, so there is always one.
    """
    return int(min(_minimum_peak(problem, hops) for hops in range(problem.max_hops + 1)))


def _minimum_peak(problem: Problem, hops: int) -> float:
    peaks = [np.inf]
    for batch in _batches(problem, hops, np.inf):
        stages = tuple(predict(problem, batch))
        allowed = _reads_little(problem, stages)
        peaks.append(float(np.where(allowed, _peak(stages), np.inf).min()))
    return min(peaks)


def _cheapest(problem: Problem, hops: int, max_mem: int) -> Solution | None:
    """Return the cheapest plan that fits; of equally cheap ones, the one with the lowest peak."""
    best: tuple[float, float] = (np.inf, np.inf)
    chosen: list[Chain] | None = None
    for batch in _batches(problem, hops, max_mem):
        stages = tuple(predict(problem, batch))
        peak = _peak(stages)
        allowed = (
            (peak <= max_mem) & _reads_little(problem, stages) & _works_little(problem, stages)
        )
        cost = np.where(allowed, seconds(problem, stages), np.inf)
        equal = np.flatnonzero(cost == cost.min())
        row = int(equal[np.argmin(peak[equal])])
        if (cost[row], peak[row]) < best and np.isfinite(cost[row]):
            best, chosen = (cost[row], peak[row]), batch.chains(row)
    return None if chosen is None else _exact_solution(problem, hops, chosen)


def _exact_solution(problem: Problem, hops: int, chosen: list[Chain]) -> Solution:
    """Predict one combination in Python integers: floats cannot hold large products exactly."""
    axes = zip(problem.axes, chosen, strict=True)
    tables = [tabulate(*axis, [chain], dtype=object) for axis, chain in axes]
    stages = tuple(predict(problem, Combinations(tables, hops, dtype=object)))
    grids = tuple(tuple(chain[stage] for chain in chosen) for stage in range(hops + 1))
    return Solution(float(seconds(problem, stages)[0]), grids, stages)


def _reads_little(problem: Problem, stages: tuple[StagePrediction, ...]) -> npt.NDArray[np.bool_]:
    """Return which plans keep to the largest read amplification."""
    few: npt.NDArray[np.bool_] = stages[0].bytes_read <= problem.max_amplification * problem.nbytes
    return few


def _works_little(problem: Problem, stages: tuple[StagePrediction, ...]) -> npt.NDArray[np.bool_]:
    """Return which plans are no more work than allowed."""
    if np.isinf(problem.max_work):
        return np.ones((), dtype=np.bool_)
    few: npt.NDArray[np.bool_] = _work(problem, stages) <= problem.max_work
    return few


def _work(problem: Problem, stages: tuple[StagePrediction, ...]) -> Numbers:
    """Return the seconds of plans if everything came one after the other, and nothing waited."""
    alone = replace(problem.cost, workers=1, in_flight=1)
    return seconds(replace(problem, cost=alone), stages)


def _peak(stages: tuple[StagePrediction, ...]) -> npt.NDArray[np.float64]:
    return reduce(np.maximum, (stage.memory for stage in stages))


def _batches(problem: Problem, hops: int, max_mem: float) -> Iterator[Combinations]:
    """Yield the combinations whose boxes fit in memory, `_BATCH_SIZE` at a time."""
    combinations = _combinations(problem, hops)
    rows = np.flatnonzero(boxes_fit(problem, combinations, max_mem))
    for start in range(0, rows.size, _BATCH_SIZE):
        yield combinations.take(rows[start : start + _BATCH_SIZE])


def _combinations(problem: Problem, hops: int) -> Combinations:
    """Return all combinations of the finest ladders with at most `_MAX_COMBINATIONS` of them."""

    def few_enough(rungs: int) -> bool:
        options = CandidateOptions(hops, rungs, problem.read_once)
        numbers = (len(candidate_chains(*axis, options)) for axis in problem.axes)
        return prod(numbers) <= _MAX_COMBINATIONS

    rungs = _RUNGS[min(bisect_left(_RUNGS, True, key=few_enough), len(_RUNGS) - 1)]
    options = CandidateOptions(hops, rungs, problem.read_once)
    tables = [axis_table(*axis, options) for axis in problem.axes]
    if not few_enough(rungs):  # ten axes or more
        limit = int(_MAX_COMBINATIONS ** (1 / len(tables)))
        tables = [table.thin(limit) for table in tables]
    return Combinations(tables, hops)
