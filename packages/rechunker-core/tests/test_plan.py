"""Plans as users meet them: arguments, results, errors, text."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from rechunker.planning import (
    OBJECT_STORE,
    Footprint,
    Layout,
    MemoryLimitError,
    RechunkPlan,
    plan_rechunk,
)

untyped: Any = plan_rechunk  # for arguments that a type checker refuses, or cannot count

ROWS_TO_COLUMNS = ((8000, 8000), (200, 8000), (8000, 200), 4)


def failure(*args: Any, **kwargs: Any) -> MemoryLimitError:
    with pytest.raises(MemoryLimitError) as caught:
        plan_rechunk(*args, **kwargs)
    return caught.value


def test_memory_can_be_a_string() -> None:
    assert plan_rechunk(*ROWS_TO_COLUMNS, "25.6MB") == plan_rechunk(*ROWS_TO_COLUMNS, 25_600_000)


def test_numpy_integers_are_integers() -> None:
    plan = untyped(*map(np.array, ROWS_TO_COLUMNS), np.int64(25_600_000))
    assert plan == plan_rechunk(*ROWS_TO_COLUMNS, 25_600_000)
    assert type(plan.itemsize) is type(plan.stages[0].bytes_read) is int


def test_local_prices_are_the_default() -> None:
    plan, other = plan_rechunk(*ROWS_TO_COLUMNS, "1GB"), plan_rechunk(*ROWS_TO_COLUMNS, "30MB")
    assert plan.cost < other.cost < plan_rechunk(*ROWS_TO_COLUMNS, "30MB", cost=OBJECT_STORE).cost


def test_minus_one_is_the_whole_axis() -> None:
    plan = plan_rechunk((100, 50), (-1, 1), (1, -1), 8, "1MB")
    assert (plan.source_chunks, plan.target_chunks) == ((100, 1), (1, 50))


def test_chunks_beyond_the_array_are_cut_off() -> None:
    plan = plan_rechunk((100, 50), (300, 1), (1, 80), 8, "1MB")
    assert (plan.source_chunks, plan.target_chunks) == ((100, 1), (1, 50))


def test_source_chunks_beyond_the_array_take_their_full_size() -> None:
    footprint = plan_rechunk((100, 50), (300, 1), (1, 80), 8, "1MB").footprint
    assert footprint == Footprint.of_units(source=300 * 8, target=50 * 8)


def test_largest_block_counts_where_blocks_differ() -> None:
    plan = plan_rechunk((10, 6), ((3, 7), (6,)), (10, 1), 8, "1MB")
    assert plan.footprint == Footprint.of_units(source=7 * 6 * 8, target=10 * 8)


def test_equal_chunks_are_copied_in_one_stage() -> None:
    plan = plan_rechunk((100, 50), (10, 50), (10, 50), 8, "1MB")
    assert (plan.hops, plan.read_amplification) == (0, 1.0)


def test_equal_chunks_take_room_for_one_chunk_only() -> None:
    (stage,) = plan_rechunk((100, 50), (10, 50), (10, 50), 8, 2 * 10 * 50 * 8).stages
    assert (stage.grid, stage.tasks, stage.layout) == ((10, 50), 10, Layout.VIEW)


def test_enough_memory_for_the_array_takes_one_task() -> None:
    plan = plan_rechunk(*ROWS_TO_COLUMNS, "1GB")
    assert [stage.tasks for stage in plan.stages] == [1]


def test_little_memory_takes_a_temporary_copy() -> None:
    plan = plan_rechunk(*ROWS_TO_COLUMNS, "30MB")
    assert (plan.hops, plan.read_amplification) == (1, 1.0)


def test_without_temporary_store_the_source_is_read_again() -> None:
    plan = plan_rechunk(*ROWS_TO_COLUMNS, "20MB", temp=False)
    assert (plan.hops, plan.read_amplification) == (0, 40.0)


def test_amplification_counts_bytes_of_the_source() -> None:
    plan = plan_rechunk((12,), (4,), (6,), 1, 16, temp=False)
    assert plan.stages[0].bytes_read == 16
    assert plan.read_amplification == pytest.approx(16 / 12)


def test_number_of_hops_can_be_limited() -> None:
    array = ((10**6, 10**6), (1, 10**6), (10**6, 1), 8)
    assert [plan_rechunk(*array, "100MB", max_hops=hops).hops for hops in (1, 2)] == [1, 2]


def test_array_without_axes_takes_one_task() -> None:
    (stage,) = plan_rechunk((), (), (), 8, 100).stages
    assert (stage.grid, stage.tasks, stage.gets, stage.puts) == ((), 1, 1, 1)


@pytest.mark.parametrize("source", [(3, 4), ((0,), (5,)), (-1, -1)])
def test_array_without_elements_takes_no_task(source: Any) -> None:
    plan = plan_rechunk((0, 5), source, (2, 2), 8, 1)
    (stage,) = plan.stages
    assert (stage.tasks, stage.memory, plan.cost, plan.read_amplification) == (0, 0, 0.0, 1.0)


def test_temporary_objects_stay_below_the_limit_of_one_request() -> None:
    plan = plan_rechunk((10**6, 10**5), (10, 10**5), (10**6, 10), 8, "100GB")
    assert plan.hops == 1
    assert np.prod(plan.stages[0].grid) * 8 <= 5e9


def test_arrays_of_very_many_axes_are_planned_too() -> None:
    plan = plan_rechunk((3,) * 20, (1,) * 20, (2,) * 20, 4, 3 * 4 * 2**20)
    assert plan.peak_memory <= plan.max_mem


def test_counts_of_huge_arrays_are_exact() -> None:
    n = 10**9 + 7
    plan = plan_rechunk((n, n, n), (1, n, n), (n, 1, n), 8, 10**20, temp=False)
    assert plan.stages[0].bytes_written == 8 * n**3


def test_plans_cannot_be_changed() -> None:
    plan = plan_rechunk(*ROWS_TO_COLUMNS, "1GB")
    with pytest.raises(FrozenInstanceError):
        plan.cost = 0.0  # type: ignore[misc]


def test_plans_can_be_pickled() -> None:
    plan = plan_rechunk(*ROWS_TO_COLUMNS, "30MB")
    assert pickle.loads(pickle.dumps(plan)) == plan


def test_text_has_one_line_per_stage() -> None:
    lines = str(plan_rechunk(*ROWS_TO_COLUMNS, "30MB")).splitlines()
    assert [line.split("  ")[0] for line in lines[1:-1]] == [
        "stage",
        "source -> temp",
        "temp -> target",
    ]


def test_text_tells_memory_and_amplification() -> None:
    text = str(plan_rechunk(*ROWS_TO_COLUMNS, "19.2MB", temp=False))
    assert "memory of a task: 19.2 MB of 19.2 MB; read amplification: 40.00" in text


def test_text_numbers_several_temporary_copies() -> None:
    text = str(plan_rechunk((10**6, 10**6), (1, 10**6), (10**6, 1), 8, "100MB"))
    assert "temp 1 -> temp 2" in text


def test_text_does_not_list_irregular_blocks() -> None:
    blocks = tuple(range(1, 1001))
    text = str(plan_rechunk((500500,), (blocks,), (7,), 8, "1MB"))
    assert "(1000 x <=1000,)" in text


def test_too_little_memory_says_how_much_is_needed() -> None:
    error = failure(*ROWS_TO_COLUMNS, "5MB")
    assert error.needed == 12_800_000
    assert "max_mem=5 MB (5000000 bytes) is too little" in str(error)
    assert "raise max_mem to 12.8 MB (12800000 bytes)" in str(error)


def test_too_little_memory_tells_what_a_temporary_store_would_do() -> None:
    error = failure(*ROWS_TO_COLUMNS, "5MB", temp=False)
    assert error.needed == 19_200_000
    assert "provide a temporary store, with which 12800000 bytes are enough" in str(error)


def test_too_little_memory_names_target_chunks_if_they_are_the_reason() -> None:
    assert "choose smaller target chunks" in str(failure((100,), (1,), (100,), 8, 900))
    assert "smaller target chunks" not in str(failure((100,), (100,), (1,), 8, 900))


def test_memory_errors_can_be_pickled() -> None:
    error = failure(*ROWS_TO_COLUMNS, "5MB")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.needed) == (str(error), error.needed)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (((10,), (3, 4), (1,), 1), "source_chunks must have one entry per axis: 1 for shape"),
        (((10,), (3,), (), 1), "target_chunks must have one entry per axis: 1 for shape"),
        (((10,), (0,), (1,), 1), "source_chunks .* must be at least 1, or -1 for the whole axis"),
        (((10,), (3,), (-2,), 1), "target_chunks .* must be at least 1, or -1 for the whole axis"),
        (((10,), ((3, 4),), (1,), 1), "source_chunks .* must be at least 1 and add up to 10"),
        (((10,), ((12, -2),), (1,), 1), "source_chunks .* must be at least 1 and add up to 10"),
        (((10,), ((3, 0, 7),), (1,), 1), "source_chunks .* must be at least 1 and add up to 10"),
        (((10,), (3,), (1,), 0), "itemsize must be at least 1 byte, got 0"),
        (((-1,), (3,), (1,), 1), "shape must not have negative lengths"),
    ],
)
def test_arguments_without_sense_are_refused(array: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        untyped(*array, 100)


def test_negative_number_of_hops_is_refused() -> None:
    with pytest.raises(ValueError, match="max_hops must be 0 or more, got -1"):
        plan_rechunk((10,), (3,), (1,), 1, 100, max_hops=-1)


def test_fractions_of_elements_are_refused() -> None:
    with pytest.raises(TypeError):
        untyped((10,), (2.5,), (1,), 1, 100)


def test_plan_is_small_whatever_the_array() -> None:
    plan: RechunkPlan = plan_rechunk((10**9, 10**6), (1, 10**6), (10**9, 1), 8, "64GB")
    assert sum(stage.tasks for stage in plan.stages) > 10**5
    assert len(pickle.dumps(plan)) < 2000
