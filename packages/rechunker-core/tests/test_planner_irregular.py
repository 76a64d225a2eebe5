"""Sources whose blocks have different sizes."""

from __future__ import annotations

import pytest

from rechunker.planning import plan_rechunk
from rechunker.planning.grids import axis_count

BLOCKS = (5, 3, 8, 1, 1, 6, 8, 4)  # 36 elements


def edges(sizes: object) -> set[int]:
    assert isinstance(sizes, tuple)
    return {sum(sizes[:i]) for i in range(len(sizes) + 1)}


def test_boxes_are_runs_of_whole_blocks() -> None:
    plan = plan_rechunk((36, 100), (BLOCKS, (100,)), (36, 10), 1, 2000)
    assert plan.hops == 1
    assert edges(plan.stages[0].grid[0]) <= edges(BLOCKS)


def test_more_memory_makes_longer_runs() -> None:
    plan = plan_rechunk((36, 100), (BLOCKS, (100,)), (36, 10), 1, 2800)
    assert plan.hops == 1
    assert edges(plan.stages[0].grid[0]) < edges(BLOCKS)


def test_every_block_is_read_once() -> None:
    plan = plan_rechunk((36, 100), (BLOCKS, (100,)), (36, 10), 1, 2000)
    assert (plan.stages[0].gets, plan.read_amplification) == (len(BLOCKS), 1.0)


def test_later_grids_are_regular() -> None:
    plan = plan_rechunk((36, 100), (BLOCKS, (100,)), (36, 10), 1, 1600)
    assert all(isinstance(axis, int) for stage in plan.stages[1:] for axis in stage.grid)


def test_direct_boxes_end_at_blocks_and_target_chunks() -> None:
    plan = plan_rechunk((36,), ((4, 2, 6, 12, 6, 6),), (4,), 1, 40, temp=False)
    assert plan.stages[0].grid == ((12, 12, 12),) or plan.stages[0].grid == (12,)


def test_direct_boxes_of_different_sizes() -> None:
    plan = plan_rechunk((36,), ((4, 4, 16, 8, 4),), (4,), 1, 50, temp=False)
    assert plan.stages[0].grid == ((8, 16, 12),)


def test_direct_box_is_the_whole_axis_where_no_edges_are_shared() -> None:
    plan = plan_rechunk((36,), ((5, 31),), (4,), 1, 200, temp=False)
    assert (plan.stages[0].grid, plan.stages[0].tasks) == ((36,), 1)


def test_regular_axes_beside_irregular_ones_are_read_whole_too() -> None:
    plan = plan_rechunk((36, 100), (BLOCKS, 7), (1, 10), 1, 5000, temp=False)
    assert plan.read_amplification == 1.0


def test_equal_blocks_become_a_width() -> None:
    plan = plan_rechunk((100,), ((30, 30, 30, 10),), (5,), 1, 200)
    assert plan.source_chunks == (30,)


def test_equal_blocks_are_not_read_twice_either() -> None:
    array = ((100,), (20,), 1, 100)
    read_again = plan_rechunk(array[0], (30,), *array[1:], temp=False)
    assert read_again.read_amplification > 1
    assert plan_rechunk(array[0], ((30, 30, 30, 10),), *array[1:]).read_amplification == 1


@pytest.mark.parametrize("count", [1, 2, 500])
def test_boxes_cover_the_axis(count: int) -> None:
    blocks = tuple(1 + i % 5 for i in range(count))
    n = sum(blocks)
    plan = plan_rechunk((n, 50), (blocks, (50,)), (n, 1), 1, 2 * n + 500)
    assert axis_count(n, plan.stages[0].grid[0]) == plan.stages[0].tasks
