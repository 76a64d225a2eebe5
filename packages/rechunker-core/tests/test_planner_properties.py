"""What must hold for every plan, whatever the array, its chunks, the memory and the prices."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import lcm

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_bounds import consolidated, evaluate
from plan_model import Model, blocks, meeting, predicted, spans
from plan_strategies import Case, cases, footprints

from bounds import lower_bound
from rechunker.planning import CostModel, Footprint, MemoryLimitError, RechunkPlan, Shards
from rechunker.planning.search import search

pytestmark = pytest.mark.slow

FACTORS = (2, 2.1, 2.5, 3, 4, 5, 7, 10, 20, 50, 200)

memory_factors = st.sampled_from(FACTORS)
any_case = st.booleans().flatmap(lambda irregular: cases(irregular=irregular))


def planned(case: Case, factor: float) -> RechunkPlan:
    return case.plan(int(case.largest_unit * factor))


@given(any_case, memory_factors)
def test_a_plan_that_is_run_does_what_it_predicts(case: Case, factor: float) -> None:
    plan = planned(case, factor)
    model = Model(plan)
    ran = model.run()  # which refuses that an object has two writers
    np.testing.assert_array_equal(model.result(), model.array)
    assert [done.counts() for done in ran] == [*map(predicted, plan.stages)]
    assert plan.peak_memory <= plan.max_mem
    for done, stage in zip(ran, plan.stages, strict=True):
        assert (done.copies == 1).all(), "an element is not copied once per stage"
        assert done.peak <= stage.memory, "more bytes are live than predicted"


@given(cases(), st.lists(st.integers(1, 4), min_size=5, max_size=5), memory_factors)
def test_an_index_is_read_for_each_shard_and_box(
    case: Case, numbers: list[int], factor: float
) -> None:
    chunks = [axis for axis in case.source if isinstance(axis, int)]
    grid = tuple(width * number for width, number in zip(chunks, numbers, strict=False))
    plan = planned(
        replace(case, shards=Shards(grid, index_bytes=20, at_once=9, requests=2)), factor
    )
    boxes = blocks(case.shape, plan.stages[0].grid).values()
    indices = sum(len(meeting(case.shape, grid, box)) for box in boxes)
    ran = [list(done.counts()) for done in Model(plan).run()]
    ran[0][1] += indices
    assert [tuple(done) for done in ran] == [*map(predicted, plan.stages)]


@given(any_case, footprints, st.integers(1, 8))
def test_live_bytes_stay_within_prediction_for_any_footprint(
    case: Case, footprint: Footprint, factor: int
) -> None:
    plan = case.plan(needed_by(case, footprint) * factor, footprint=footprint)
    for done, stage in zip(Model(plan).run(), plan.stages, strict=True):
        assert done.peak <= stage.memory <= plan.max_mem


def needed_by(case: Case, footprint: Footprint | None = None, *, temp: bool = True) -> int:
    with pytest.raises(MemoryLimitError) as caught:
        case.plan(1, footprint=footprint, temp=temp)
    return caught.value.needed


@given(any_case, footprints, st.booleans())
def test_memory_said_to_be_needed_is_enough(case: Case, footprint: Footprint, temp: bool) -> None:
    needed = needed_by(case, footprint, temp=temp)
    assert case.plan(needed, footprint=footprint, temp=temp).peak_memory == needed


@given(any_case, footprints, st.booleans())
def test_less_memory_than_needed_is_refused(case: Case, footprint: Footprint, temp: bool) -> None:
    needed = needed_by(case, footprint, temp=temp)
    with pytest.raises(MemoryLimitError):
        case.plan(needed - 1, footprint=footprint, temp=temp)


@given(any_case)
def test_more_memory_never_costs_more(case: Case) -> None:
    # Many workers may have less to share if one task holds more.
    alone = replace(case, cost=replace(case.cost, workers=1))
    costs = [planned(alone, factor).cost for factor in FACTORS]
    assert all(more <= less * (1 + 1e-9) for less, more in pairwise(costs))


@given(any_case, memory_factors)
def test_leaving_out_numbers_of_hops_changes_no_plan(case: Case, factor: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CostModel, "lower_bound", lambda *_: 0.0)
        search.cache_clear()
        thorough = planned(case, factor)
    search.cache_clear()
    assert planned(case, factor) == thorough


@given(any_case, st.integers(1, 4))
def test_twice_the_larger_unit_is_enough_with_a_temporary_store(case: Case, max_hops: int) -> None:
    limit = 2 * case.largest_unit
    assert case.plan(limit, max_hops=max_hops).peak_memory <= limit


@given(cases(irregular=True), memory_factors)
def test_no_irregular_block_is_read_twice(case: Case, factor: float) -> None:
    first = Model(planned(case, factor)).run()[0]
    assert set(first.unit_reads.values()) == {1}


@given(any_case, memory_factors)
def test_without_temporary_store_there_is_one_stage(case: Case, factor: float) -> None:
    needed = needed_by(case, temp=False)
    plan = case.plan(int(needed * factor), temp=False)
    assert (plan.hops, len(plan.stages)) == (0, 1)


@given(any_case, memory_factors)
def test_last_grid_starts_at_multiples_of_the_target_chunks(case: Case, factor: float) -> None:
    plan = planned(case, factor)
    for n, axis, chunk in zip(plan.shape, plan.stages[-1].grid, plan.target_chunks, strict=True):
        assert all(start % chunk == 0 for start, _ in spans(n, axis))


@given(cases(), st.floats(1, 100))
def test_no_worse_than_boxes_filled_axis_by_axis(case: Case, factor: float) -> None:
    source = tuple(s for s in case.source if isinstance(s, int))
    array = (case.shape, source, case.target, case.itemsize)
    elements = case.largest_unit / case.itemsize * factor
    theirs, peak = evaluate(*array, consolidated(*array[:3], elements), case.cost)
    assert case.plan(peak).cost <= 1.005 * theirs


@given(cases(), st.integers(1, 3), st.floats(2, 50))
def test_cost_is_never_below_the_lower_bound(case: Case, repeats: int, factor: float) -> None:
    units = zip(case.source, case.target, strict=True)
    shape = tuple(repeats * lcm(s, t) for s, t in units if isinstance(s, int))
    whole = replace(case, shape=shape)
    plan = whole.plan(int(whole.largest_unit * factor))
    assert plan.cost >= lower_bound(plan, case.cost) * (1 - 1e-12)
