"""Small problems of all kinds, for property tests of the planner."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from hypothesis import strategies as st

from rechunker.planning import CostModel, Footprint, RechunkPlan, Shards, plan_rechunk
from rechunker.planning.grids import Axis

LENGTHS = {1: 200, 2: 40, 3: 14, 4: 7, 5: 5}


@dataclass(frozen=True)
class Case:
    """Arguments of `plan_rechunk`."""

    shape: tuple[int, ...]
    source: tuple[Axis, ...]
    target: tuple[int, ...]
    itemsize: int
    cost: CostModel
    shards: Shards | None = None

    @property
    def largest_unit(self) -> int:
        """Bytes of the larger of a source and a target unit."""
        source = prod(axis if isinstance(axis, int) else max(axis) for axis in self.source)
        target = prod(map(min, self.target, self.shape))  # units are cut off at the end
        return max(source, target) * self.itemsize

    def plan(
        self,
        max_mem: int,
        *,
        temp: bool = True,
        max_hops: int = 4,
        footprint: Footprint | None = None,
    ) -> RechunkPlan:
        return plan_rechunk(
            self.shape,
            self.source,
            self.target,
            self.itemsize,
            max_mem,
            cost=self.cost,
            temp=temp,
            max_hops=max_hops,
            footprint=footprint,
            shards=self.shards,
        )


@st.composite
def partitions(draw: st.DrawFn, n: int) -> tuple[int, ...]:
    cuts = draw(st.sets(st.integers(1, n - 1), max_size=8)) if n > 1 else set()
    edges = [0, *sorted(cuts), n]
    return tuple(hi - lo for lo, hi in pairwise(edges))


costs = st.builds(
    CostModel,
    request=st.sampled_from([1e-6, 1e-4, 1e-2, 1.0]),
    byte=st.sampled_from([1e-9, 1e-6, 1e-3]),
    task=st.sampled_from([0.0, 1e-3, 1.0]),
    workers=st.sampled_from([1, 1, 4, 64]),
    in_flight=st.sampled_from([1, 1, 2, 16]),
)


@st.composite
def cases(draw: st.DrawFn, *, irregular: bool = False) -> Case:
    """Zero to five axes; chunks may be larger than the shape."""
    ndim = draw(st.integers(1 if irregular else 0, 5))
    longest = LENGTHS.get(ndim, 1)
    shape = tuple(draw(st.integers(1, longest)) for _ in range(ndim))
    widths = [st.integers(1, n + 2) for n in shape]
    source: list[Axis] = [draw(width) for width in widths]
    if irregular:
        for axis in draw(st.sets(st.integers(0, ndim - 1), min_size=1)):
            source[axis] = draw(partitions(shape[axis]))
    target = tuple(draw(width) for width in widths)
    return Case(shape, tuple(source), target, draw(st.sampled_from([1, 2, 4, 8])), draw(costs))


footprints = st.builds(
    Footprint,
    read=st.integers(2, 3000),
    unit=st.none() | st.integers(0, 2000),
    write=st.integers(0, 2000),
    pad=st.integers(0, 2000),
    spill=st.sampled_from([0.0, 0.3, 1.0]),
    concurrency=st.integers(1, 4),
)
