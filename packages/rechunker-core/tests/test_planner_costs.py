"""Costs: seconds of requests, bytes and tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cases import about

from rechunker.planning import LOCAL, OBJECT_STORE, CostModel, plan_rechunk

MODEL = CostModel(request=1.0, byte=0.01, task=10.0)


def test_each_part_has_its_price() -> None:
    assert MODEL.seconds(2.0, (20.0, 400.0), (10.0, 0.0)) == 2 * 10 + 30 + 4


def test_workers_share_tasks() -> None:
    many = CostModel(request=1.0, byte=0.01, task=10.0, workers=4)
    assert many.seconds(8.0, (80.0, 0.0)) == MODEL.seconds(8.0, (80.0, 0.0)) / 4


def test_busiest_worker_counts() -> None:
    many = CostModel(request=1.0, byte=0.01, task=10.0, workers=4)
    assert many.seconds(5.0, (50.0, 0.0)) == MODEL.seconds(5.0, (50.0, 0.0)) * 2 / 5


def test_requests_in_flight_are_made_in_turns() -> None:
    several = replace(MODEL, in_flight=16)
    # Each of 2 tasks: 16 requests of 1 s and 20 bytes in a turn, whether they are one or all.
    for requests in (1.0, 16.0):
        moved = 20 * 2 * requests
        assert several.seconds(2.0, (2 * requests, moved)) == 2 * 10 + 2 * 1.2
    assert several.seconds(2.0, (2 * 17.0, 680.0)) == 2 * 10 + 2 * 2 * 1.2
    assert several.seconds(2.0, (2 * 16.0, 0.0), (2.0, 0.0)) == 2 * 10 + 2 * 2
    assert several.seconds(2.0, (0.0, 0.0)) == 2 * 10


def test_prices_below_zero_are_refused() -> None:
    cases: list[dict[str, Any]] = [
        {"request": -1.0},
        {"workers": 0},
        {"temp": -0.5},
        {"in_flight": 0},
    ]
    for wrong in cases:
        prices = {"request": 1.0, "byte": 1.0, "task": 1.0, **wrong}
        with (
            about(wrong),
            pytest.raises(ValueError, match="must be 0 or more, workers and in_flight 1 or more"),
        ):
            CostModel(**prices)


def test_cost_of_a_plan_is_the_sum_over_its_stages() -> None:
    plan = plan_rechunk((8000, 8000), (200, 8000), (8000, 200), 4, "30MB", cost=LOCAL)
    assert plan.cost == pytest.approx(
        sum(
            0.2e-3 * (stage.gets + stage.puts)
            + 1e-9 * (stage.bytes_read + stage.bytes_written)
            + 2e-3 * stage.tasks
            for stage in plan.stages
        )
    )


def test_compressed_temporary_objects_take_two_requests_per_cell() -> None:
    array = ((8000, 8000), (200, 8000), (8000, 200), 4, "13MB")
    raw, compressed = (
        plan_rechunk(*array, cost=CostModel(1.0, 0.0, 0.0, temp=temp), max_hops=1).stages
        for temp in (1.0, 0.5)
    )
    assert [stage.grid for stage in raw] == [stage.grid for stage in compressed]
    assert [stage.gets for stage in compressed] == [raw[0].gets, 2 * raw[1].gets]


@pytest.mark.parametrize("hops", [0, 1])
def test_no_plan_costs_less_than_the_floor(hops: int) -> None:
    model = CostModel(request=0.0, byte=0.0, task=1.0)
    max_mem = {0: 19_200_000, 1: 12_800_000}[hops]
    array = ((8000, 8000), (200, 8000), (8000, 200), 4, max_mem)
    plan = plan_rechunk(*array, cost=model, temp=hops > 0)
    floor = model.lower_bound(8000 * 8000 * 4, 80, max_mem, hops)
    assert floor <= plan.cost < 4 * floor


def test_stored_bytes_are_what_counts() -> None:
    array = ((100, 100), (10, 100), (10, 100), 8, "1MB")
    full = plan_rechunk(*array, cost=CostModel(0.0, 1e-9, 0.0))
    half = plan_rechunk(*array, cost=CostModel(0.0, 1e-9, 0.0, stored=0.5))
    assert half.cost == pytest.approx(full.cost / 2)


def test_many_workers_get_enough_tasks() -> None:
    array = ((1000, 1000, 100), (10, 1000, 100), (1000, 10, 100), 8, "1GB")
    assert plan_rechunk(*array).stages[0].tasks == 1
    shared = plan_rechunk(*array, cost=CostModel(0.2e-3, 1e-9, 2e-3, workers=20))
    assert all(stage.tasks >= 20 for stage in shared.stages)


def test_more_requests_are_saved_where_they_are_dear() -> None:
    array = ((10**6, 10**6), (1, 10**6), (10**6, 1), 8, "300MB")
    local, remote = (plan_rechunk(*array, cost=model) for model in (LOCAL, OBJECT_STORE))
    assert sum(s.gets for s in remote.stages) <= sum(s.gets for s in local.stages)
