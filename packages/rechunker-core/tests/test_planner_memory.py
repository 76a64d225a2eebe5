"""Memory of a task: the three layouts, each worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from cases import about

from rechunker.planning import Footprint, Layout, RechunkPlan, StagePlan, plan_rechunk

# A unit of 10 elements in, one of 10 elements out, whose sizes tell what is held at a time.
FOOTPRINT = Footprint(read=1000, unit=100, write=300, pad=40)


def only_stage(n: int, source: Any, target: int, max_mem: int, **changes: Any) -> StagePlan:
    footprint = Footprint(**{**vars(FOOTPRINT), **changes})
    plan = plan_rechunk((n,), (source,), (target,), 1, max_mem, temp=False, footprint=footprint)
    return plan.stages[0]


def two_stages(max_mem: int, **changes: Any) -> RechunkPlan:
    """Rows of 32 to columns of 32: with that memory one box is as large as one unit."""
    sizes = {"read": 64, "unit": 32, "write": 32, "pad": 32, **changes}
    footprint = Footprint(**sizes)
    return plan_rechunk((32, 32), (1, 32), (32, 1), 1, max_mem, footprint=footprint, max_hops=1)


def test_packed_box_is_held_with_the_largest_transfer() -> None:
    stage = only_stage(40, 10, 20, 2000)
    assert (stage.layout, stage.memory) == (Layout.PACKED, 40 + 1000)


def test_packed_box_with_padded_copies() -> None:
    stage = only_stage(40, 5, 40, 5000, read=10, write=300, pad=40)
    assert (stage.layout, stage.memory) == (Layout.PACKED, 40 + 300)


def test_concurrent_transfers_are_all_counted() -> None:
    stage = only_stage(40, 5, 40, 9000, concurrency=3)
    assert (stage.layout, stage.memory) == (Layout.PACKED, 40 + 3 * 1000)


def test_no_more_units_are_in_flight_than_meet_a_box() -> None:
    stage = only_stage(40, 20, 20, 9000, concurrency=9, read=100)
    assert (stage.layout, stage.memory) == (Layout.PACKED, 40 + 2 * 300)
    stage = only_stage(40, 20, 5, 9000, concurrency=9)
    assert (stage.layout, stage.memory) == (Layout.PACKED, 40 + 8 * 300)
    stage = only_stage(40, (25, 15), 40, 9000, concurrency=9)
    assert (stage.layout, stage.memory) == (Layout.PACKED, 40 + 2 * 1000)


def test_padded_box_saves_copies_where_units_are_cut() -> None:
    stage = only_stage(45, 5, 20, 5000, read=10, pad=400)
    assert (stage.layout, stage.memory) == (Layout.PADDED, 60 + 300)


def test_packed_box_is_cheaper_where_copies_are_small() -> None:
    stage = only_stage(45, 5, 20, 5000, read=10, pad=4)
    assert (stage.layout, stage.memory) == (Layout.PACKED, 45 + 304)


def test_view_holds_the_read_alone_while_it_is_the_largest() -> None:
    stage = only_stage(40, 40, 40, 5000)
    assert (stage.layout, stage.memory) == (Layout.VIEW, 1000)


def test_view_of_equal_units_is_encoded_without_a_copy() -> None:
    stage = only_stage(40, 40, 40, 5000, read=330, write=240, pad=9999)
    assert (stage.layout, stage.memory) == (Layout.VIEW, 100 + 240)


def test_view_of_other_units_holds_a_copy_of_what_is_encoded() -> None:
    stage = only_stage(40, 40, 10, 399, read=330, write=200, pad=40, unit=100)
    assert (stage.layout, stage.memory) == (Layout.VIEW, 100 + 200 + 40)


def test_source_chunk_beyond_the_array_is_no_target_chunk() -> None:
    stage = only_stage(40, 60, 60, 5000, read=330, write=200, pad=40)
    assert (stage.layout, stage.memory) == (Layout.VIEW, 100 + 200 + 40)


def test_short_last_block_is_no_target_chunk() -> None:
    stage = only_stage(10, (4, 4, 2), 4, 334, read=330, unit=4, write=300, pad=40)
    assert (stage.layout, stage.memory) == (Layout.PADDED, 4 + 330)


def test_chunk_that_cannot_be_a_buffer_is_copied() -> None:
    stage = only_stage(40, 40, 40, 5000, unit=None)
    assert (stage.layout, stage.memory) == (Layout.PACKED, 40 + 1000)


def test_unit_is_never_smaller_than_the_box_cut_from_it() -> None:
    stage = only_stage(40, 40, 40, 5000, read=50, write=45, unit=0)
    assert (stage.layout, stage.memory) == (Layout.VIEW, 40 + 45)


def test_view_makes_two_source_units_enough_for_the_first_stage() -> None:
    plan = two_stages(64)
    assert [(s.layout, s.memory) for s in plan.stages] == [(Layout.VIEW, 64), (Layout.PACKED, 64)]


def test_spilled_bytes_are_held_with_the_box() -> None:
    plan = two_stages(80, spill=0.5)
    assert (plan.stages[0].layout, plan.stages[0].memory) == (Layout.VIEW, 32 + 32 + 16)


def test_spilled_bytes_do_not_add_to_reads() -> None:
    plan = two_stages(96, spill=0.5, unit=None)
    assert (plan.stages[0].layout, plan.stages[0].memory) == (Layout.PACKED, 32 + 64)


def test_spilled_bytes_count_where_they_are_more_than_reads() -> None:
    plan = two_stages(64, read=8, spill=1.0, unit=None)
    assert (plan.stages[0].layout, plan.stages[0].memory) == (Layout.PACKED, 32 + 32)


def test_later_stages_hold_no_source_units() -> None:
    plan = two_stages(1000, read=1000)
    assert plan.stages[0].memory == 1000
    assert plan.stages[1].memory < 1000


def test_what_encoders_leave_is_held_while_reading() -> None:
    stage = only_stage(40, 5, 40, 9000, concurrency=3, kept=7)
    assert (stage.layout, stage.memory) == (Layout.PACKED, 40 + 3 * 1007)
    stage = only_stage(45, 5, 20, 9000, read=310, pad=400, kept=7)
    assert (stage.layout, stage.memory) == (Layout.PADDED, 60 + 317)
    stage = only_stage(40, 40, 40, 9000, kept=7)
    assert (stage.layout, stage.memory) == (Layout.VIEW, 1007)


def test_what_is_given_back_is_not_held() -> None:
    # 250 bytes read and written are those of 4 units; the box is one more.
    stage = only_stage(120, 5, 40, 9000, concurrency=9, kept=7, trim=250)
    assert (stage.layout, stage.memory) == (Layout.PACKED, 40 + 8 * 1000 + 5 * 7)
    stage = only_stage(40, 40, 40, 9000, concurrency=9, kept=7, trim=0)
    assert (stage.layout, stage.memory) == (Layout.VIEW, 1007)


def test_encoded_cells_are_held_with_the_decoded_ones() -> None:
    plan, raw = two_stages(200, read=8, cell=2.5), two_stages(200, read=8)
    (rows, _), (_, columns) = plan.stages[0].grid, plan.stages[1].grid
    assert isinstance(rows, int)
    assert isinstance(columns, int)
    assert plan.stages[1].memory == 32 * columns + max(-(-5 * rows * columns // 2), 32)
    assert raw.cost <= plan.cost


def test_one_cell_is_encoded_at_a_time() -> None:
    plan = two_stages(200, encode=2.5)
    (rows, _), (_, columns) = plan.stages[0].grid, plan.stages[1].grid
    assert isinstance(rows, int)
    assert isinstance(columns, int)
    box, cell = 32 * rows, rows * columns
    assert plan.stages[0].layout is Layout.PACKED
    assert plan.stages[0].memory == box + max(64, -(-5 * cell // 2))


def test_footprint_of_negative_sizes_is_refused() -> None:
    for wrong in (
        {"read": -1},
        {"kept": -1},
        {"encode": -1},
        {"concurrency": 0},
        {"parts": 0},
        {"cell": 0.5},
        {"spill": -0.5},
    ):
        with (
            about(wrong),
            pytest.raises(ValueError, match="0 or more and concurrency, cell and parts 1"),
        ):
            Footprint(**{**vars(FOOTPRINT), **wrong})
