"""Candidates: the box widths that the planner tries along one axis, tabulated for the search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from math import lcm
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from rechunker.planning.grids import (
    Axis,
    axis_count,
    axis_widest,
    ceil_div,
    cell_count,
    cell_widest,
    elements_fetched,
    most_met,
)
from rechunker.planning.ladders import intermediate_widths, ladder, largest_at_most, run_ladder

__all__ = ["AxisTable", "CandidateOptions", "Chain", "axis_table", "candidate_chains", "tabulate"]

Chain: TypeAlias = tuple[Axis, ...]
"""The box widths along one axis in every stage, from the first stage to the last."""


class CandidateOptions(NamedTuple):
    """Which candidates to generate.

    Candidates do not depend on the memory limit. More memory lets more of the same candidates
    fit, so the cost of the best plan never rises with the memory limit.

    Parameters
    ----------
    hops
        Number of copies through temporary objects.
    rungs
        Approximate number of widths to try; the number of candidates is a small multiple of it.
    read_once
        Whether each source unit must be read by one task only.
    """

    hops: int
    rungs: int
    read_once: bool


@dataclass(frozen=True)
class AxisTable:
    """Counts and sizes along one axis, one column per candidate.

    The figures of a whole plan are products over the axes. `tasks`, `reads`, `met`, `box`, `cell`
    and `pieces` have one row per stage; `padded`, `fetched` and `objects` have a single row.

    Parameters
    ----------
    chains
        The candidates.
    tasks
        Number of boxes.
    reads
        Number of reads: source units in stage 0, cells of the previous stage's boxes after that.
    met
        Largest number of reads of one box.
    box
        Elements in the largest box.
    cell
        Elements in the largest cell; 0 for stage 0.
    pieces
        Largest number of cells that a box is written as; 1 for the last stage.
    padded
        Elements in the largest box of the last stage, rounded up to whole target units.
    fetched
        Elements that stage 0 reads; units read by several boxes count once for each.
    objects
        Number of source objects that stage 0 meets; those that several boxes meet count once for
        each.
    """

    chains: tuple[Chain, ...]
    tasks: npt.NDArray[Any]
    reads: npt.NDArray[Any]
    met: npt.NDArray[Any]
    box: npt.NDArray[Any]
    cell: npt.NDArray[Any]
    pieces: npt.NDArray[Any]
    padded: npt.NDArray[Any]
    fetched: npt.NDArray[Any]
    objects: npt.NDArray[Any]

    def thin(self, limit: int) -> AxisTable:
        """Return a table of at most `limit` candidates, evenly spread, including the narrowest."""
        keep = np.unique(np.linspace(0, len(self.chains) - 1, limit).astype(np.intp))
        numbers = {
            field.name: getattr(self, field.name)[..., keep]
            for field in fields(self)
            if field.name != "chains"
        }
        return AxisTable(chains=tuple(self.chains[i] for i in keep), **numbers)


def axis_table(
    n: int, source: Axis, target: int, objects: Axis, options: CandidateOptions
) -> AxisTable:
    """Return the table of all candidates for one axis.

    Parameters
    ----------
    n
        Length of the axis in elements.
    source, target
        Grids of the source units and the target units along the axis.
    objects
        Grid of the source objects, which consist of whole source units.
    options
        Which candidates to generate.
    """
    build = _axis_table_cached if isinstance(source, int) else _axis_table
    return build(n, source, target, objects, options)


def _axis_table(
    n: int, source: Axis, target: int, objects: Axis, options: CandidateOptions
) -> AxisTable:
    chains = candidate_chains(n, source, target, objects, options)
    return tabulate(n, source, target, objects, chains, dtype=np.float64)


def tabulate(
    n: int,
    source: Axis,
    target: int,
    objects: Axis,
    chains: Sequence[Chain],
    *,
    dtype: npt.DTypeLike,
) -> AxisTable:
    """Return the table of the given chains; with dtype ``object`` its integers are exact."""

    def rows(count: Callable[[int, Chain], int]) -> npt.NDArray[Any]:
        stages = range(len(chains[0]))
        return np.array([[count(j, chain) for chain in chains] for j in stages], dtype=dtype)

    return AxisTable(
        chains=tuple(chains),
        tasks=rows(lambda j, chain: axis_count(n, chain[j])),
        reads=rows(lambda j, chain: cell_count(n, chain[j - 1] if j else source, chain[j])),
        met=rows(lambda j, chain: most_met(n, chain[j], chain[j - 1] if j else source)),
        box=rows(lambda j, chain: axis_widest(n, chain[j])),
        cell=rows(lambda j, chain: cell_widest(n, chain[j - 1], chain[j]) if j else 0),
        pieces=rows(lambda j, chain: most_met(n, *chain[j : j + 2]) if chain[j + 1 :] else 1),
        padded=np.array([_padded(n, chain[-1], target) for chain in chains], dtype=dtype),
        fetched=np.array([elements_fetched(n, source, chain[0]) for chain in chains], dtype=dtype),
        objects=np.array([cell_count(n, objects, chain[0]) for chain in chains], dtype=dtype),
    )


def _padded(n: int, axis: Axis, target: int) -> int:
    return ceil_div(axis_widest(n, axis), target) * target


def candidate_chains(
    n: int, source: Axis, target: int, objects: Axis, options: CandidateOptions
) -> Sequence[Chain]:
    """Return the candidates for one axis: for each, the box widths of all stages.

    Parameters are those of `axis_table`.

    Examples
    --------
    >>> candidate_chains(100, 25, 10, 25, CandidateOptions(hops=0, rungs=6, read_once=False))
    [(10,), (20,), (30,), (40,), (50,), (100,)]
    >>> candidate_chains(12, 12, 2, 12, CandidateOptions(hops=1, rungs=6, read_once=True))
    [(12, 2), (12, 4), (12, 6), (12, 12)]
    """
    find = _candidate_chains_cached if isinstance(source, int) else _candidate_chains
    if objects == source:
        return find(n, source, target, options)
    # Boxes of whole chunks read little; those of whole shards have their indices read once.
    fewer = options._replace(rungs=max(2, options.rungs // 2))
    chains = {chain for axis in (source, objects) for chain in find(n, axis, target, fewer)}
    return sorted(chains, key=_place)


def _candidate_chains(n: int, source: Axis, target: int, options: CandidateOptions) -> list[Chain]:
    hops, rungs, read_once = options
    if hops == 0:
        return [(axis,) for axis in _direct_axes(n, source, target, rungs, read_once)]
    first = dict(_first_axes(n, source, target, rungs))
    last = sorted({*ladder(n, target, rungs), *_common_multiples(n, source, target, rungs // 4)})
    ends = {(first[start], start, end) for start, end in _pairs(sorted(first), last, rungs)}
    if not read_once and isinstance(source, int):
        # A box narrower than half a source unit would make tasks read it three times or more.
        ends |= {(end, end, end) for end in last if 2 * end >= source}
    chains = {(axis, *intermediate_widths(start, end, hops), end) for axis, start, end in ends}
    return sorted(chains, key=_place)


def _place(chain: Chain) -> tuple[Any, ...]:
    """Return what candidates are sorted by."""
    return chain[1:], isinstance(chain[0], tuple), chain[0]


# Only for regular axes: candidates of irregular ones can be large.
_axis_table_cached = lru_cache(maxsize=128)(_axis_table)
_candidate_chains_cached = lru_cache(maxsize=512)(_candidate_chains)


def _pairs(first: list[int], last: list[int], rungs: int) -> set[tuple[int, int]]:
    """Combine the widths of the first stage with those of the last stage.

    Memory spent on an axis pays where the boxes of both stages are wide along it, so pairs of
    about equal widths are enough. If there are few pairs, all are returned.
    """
    if len(first) * len(last) <= rungs:
        return {(start, end) for start in first for end in last}
    levels = {*first, *last}
    return {(largest_at_most(first, level), largest_at_most(last, level)) for level in levels}


def _direct_axes(n: int, source: Axis, target: int, rungs: int, read_once: bool) -> list[Axis]:
    """Return the grids to try for the only stage of a plan without hops."""
    if not isinstance(source, int):
        edges = np.cumsum((0, *source))
        shared = edges[(edges % target == 0) | (edges == n)]
        runs = run_ladder(n, tuple(np.diff(shared).tolist()), rungs)
        return [ceil_div(a, target) * target if isinstance(a, int) else a for _, a in runs]
    if read_once:
        common = _common_multiples(n, source, target, rungs)
        return [*(common or [ceil_div(n, target) * target])]
    widths = {*ladder(n, target, rungs), *_common_multiples(n, source, target, rungs // 4)}
    return sorted({*widths, *_equal_parts(source, target, rungs // 4)})


def _equal_parts(source: int, target: int, rungs: int) -> set[int]:
    """Return widths that divide source units into nearly equal parts, so that reads overlap little.

    All are multiples of `target`.
    """
    counts = range(1, min(rungs, source // target) + 1)
    return {ceil_div(ceil_div(source, count), target) * target for count in counts}


def _first_axes(n: int, source: Axis, target: int, rungs: int) -> list[tuple[int, Axis]]:
    """Return grids of whole source units for the first of several stages, each with its width."""
    if not isinstance(source, int):
        return run_ladder(n, source, rungs)
    widths = {*ladder(n, source, rungs), *_common_multiples(n, source, target, rungs // 4)}
    return [(width, width) for width in widths]


def _common_multiples(n: int, source: Axis, target: int, rungs: int) -> list[int]:
    """Return widths that are multiples of both the source unit and the target unit."""
    step = lcm(source, target) if isinstance(source, int) else n
    return ladder(n, step, max(2, rungs)) if step < n else []
