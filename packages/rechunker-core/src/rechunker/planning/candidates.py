"""Candidates: the widths that the planner tries along one axis, with what each would count."""

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
)
from rechunker.planning.ladders import at_most, between, ladder, run_ladder

__all__ = ["AxisTable", "Chain", "Options", "axis_table", "chains", "tabulate"]

Chain: TypeAlias = tuple[Axis, ...]
"""One axis of every stage's grid, from the first stage to the last."""


class Options(NamedTuple):
    """Which candidates are wanted.

    They do not depend on the memory at hand: with more of it, more of the same candidates fit, so
    a plan can only get cheaper.

    Parameters
    ----------
    hops
        Number of temporary copies.
    rungs
        How many widths are tried, roughly; the number of candidates is a small multiple of it.
    whole
        Whether no unit of the source may be read by two tasks.
    """

    hops: int
    rungs: int
    whole: bool


@dataclass(frozen=True)
class AxisTable:
    """What every candidate counts along one axis; counts of a plan are products over the axes.

    All but `padded` and `fetched` have one row per stage; every column is a candidate.

    Parameters
    ----------
    chains
        The candidates.
    tasks
        Number of boxes.
    reads
        Number of units (stage 0) or cells of the stage before that the boxes read.
    box
        Elements in the largest box.
    cell
        Elements in the largest cell; 0 for stage 0.
    padded
        Elements in the largest box of the last stage, rounded up to whole target units.
    fetched
        Elements that stage 0 reads.
    """

    chains: tuple[Chain, ...]
    tasks: npt.NDArray[Any]
    reads: npt.NDArray[Any]
    box: npt.NDArray[Any]
    cell: npt.NDArray[Any]
    padded: npt.NDArray[Any]
    fetched: npt.NDArray[Any]

    def thin(self, most: int) -> AxisTable:
        """Return at most so many candidates, evenly spread, the narrowest always among them."""
        keep = np.unique(np.linspace(0, len(self.chains) - 1, most).astype(np.intp))
        numbers = {
            field.name: getattr(self, field.name)[..., keep]
            for field in fields(self)
            if field.name != "chains"
        }
        return AxisTable(chains=tuple(self.chains[i] for i in keep), **numbers)


def axis_table(n: int, source: Axis, target: int, options: Options) -> AxisTable:
    """Return the candidates for one axis as numbers for the search.

    Parameters
    ----------
    n
        Length of the axis.
    source, target
        Grids of the units that are read and written.
    options
        Which candidates.
    """
    build = _table_regular if isinstance(source, int) else _table
    return build(n, source, target, options)


def _table(n: int, source: Axis, target: int, options: Options) -> AxisTable:
    return tabulate(n, source, target, chains(n, source, target, options), dtype=np.float64)


def tabulate(
    n: int, source: Axis, target: int, found: Sequence[Chain], *, dtype: npt.DTypeLike
) -> AxisTable:
    """Count what every chain in `found` does; `dtype` object gives exact Python integers."""

    def rows(count: Callable[[int, Chain], int]) -> npt.NDArray[Any]:
        stages = range(len(found[0]))
        return np.array([[count(j, chain) for chain in found] for j in stages], dtype=dtype)

    return AxisTable(
        chains=tuple(found),
        tasks=rows(lambda j, chain: axis_count(n, chain[j])),
        reads=rows(lambda j, chain: cell_count(n, chain[j - 1] if j else source, chain[j])),
        box=rows(lambda j, chain: axis_widest(n, chain[j])),
        cell=rows(lambda j, chain: cell_widest(n, chain[j - 1], chain[j]) if j else 0),
        padded=np.array([_padded(n, chain[-1], target) for chain in found], dtype=dtype),
        fetched=np.array([elements_fetched(n, source, chain[0]) for chain in found], dtype=dtype),
    )


def _padded(n: int, axis: Axis, target: int) -> int:
    return ceil_div(axis_widest(n, axis), target) * target


def chains(n: int, source: Axis, target: int, options: Options) -> Sequence[Chain]:
    """Return the candidate widths of all stages along one axis.

    Parameters are those of `axis_table`.

    Examples
    --------
    >>> chains(100, 25, 10, Options(hops=0, rungs=6, whole=False))
    [(10,), (20,), (30,), (40,), (50,), (100,)]
    >>> chains(12, 12, 2, Options(hops=1, rungs=6, whole=True))
    [(12, 2), (12, 4), (12, 6), (12, 12)]
    """
    find = _chains_regular if isinstance(source, int) else _chains
    return find(n, source, target, options)


def _chains(n: int, source: Axis, target: int, options: Options) -> list[Chain]:
    hops, rungs, whole = options
    if hops == 0:
        return [(axis,) for axis in _direct(n, source, target, rungs, whole)]
    first = dict(_first(n, source, target, rungs))
    last = sorted({*ladder(n, target, rungs), *_common(n, source, target, rungs // 4)})
    ends = {(first[start], start, end) for start, end in _pairs(sorted(first), last, rungs)}
    if not whole and isinstance(source, int):
        # A box that is less than half a source unit wide would read it three times or more.
        ends |= {(end, end, end) for end in last if 2 * end >= source}
    found = {(axis, *between(start, end, hops), end) for axis, start, end in ends}
    return sorted(found, key=lambda chain: (chain[1:], isinstance(chain[0], tuple), chain[0]))


# Not for irregular axes: their candidates can be large.
_table_regular = lru_cache(maxsize=128)(_table)
_chains_regular = lru_cache(maxsize=512)(_chains)


def _pairs(first: list[int], last: list[int], rungs: int) -> set[tuple[int, int]]:
    """Combine widths of the first and the last stage.

    Memory is spent on an axis where both boxes reach across it, so pairs of about equal widths
    are enough, but for the ends of the axes: where pairs are few, all are tried.
    """
    if len(first) * len(last) <= rungs:
        return {(start, end) for start in first for end in last}
    return {(at_most(first, level), at_most(last, level)) for level in {*first, *last}}


def _direct(n: int, source: Axis, target: int, rungs: int, whole: bool) -> list[Axis]:
    """Widths of the only stage, without temporary copies."""
    if not isinstance(source, int):
        edges = np.cumsum((0, *source))
        shared = edges[(edges % target == 0) | (edges == n)]
        runs = run_ladder(n, tuple(np.diff(shared).tolist()), rungs)
        return [ceil_div(a, target) * target if isinstance(a, int) else a for _, a in runs]
    if whole:
        return [*(_common(n, source, target, rungs) or [ceil_div(n, target) * target])]
    widths = {*ladder(n, target, rungs), *_common(n, source, target, rungs // 4)}
    return sorted({*widths, *_parts(source, target, rungs // 4)})


def _parts(source: int, target: int, rungs: int) -> set[int]:
    """Widths that cut source units into equal parts, but for a few elements: few reads overlap."""
    counts = range(1, min(rungs, source // target) + 1)
    return {ceil_div(ceil_div(source, count), target) * target for count in counts}


def _first(n: int, source: Axis, target: int, rungs: int) -> list[tuple[int, Axis]]:
    """Grids of whole source units for the first of several stages, each with its width."""
    if not isinstance(source, int):
        return run_ladder(n, source, rungs)
    widths = {*ladder(n, source, rungs), *_common(n, source, target, rungs // 4)}
    return [(width, width) for width in widths]


def _common(n: int, source: Axis, target: int, rungs: int) -> list[int]:
    """Widths that are whole numbers of source units and of target units."""
    both = lcm(source, target) if isinstance(source, int) else n
    return ladder(n, both, max(2, rungs)) if both < n else []
