"""Plans for many workers: time is saved, but not at the cost of much more work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from plan_strategies import Case, cases
from targets import arrays, is_equal

import rechunker
from rechunker.executors.python import PythonExecutor
from rechunker.jobs import Parallelism
from rechunker.planning import LOCAL, OBJECT_STORE, CostModel, RechunkPlan, plan_rechunk

WORKERS = (1, 2, 3, 8, 64, 1000)
PRICES = {
    "local": LOCAL,
    "object store": OBJECT_STORE,
    "several in flight": replace(OBJECT_STORE, in_flight=16),
}
# Array of 1 GB, of 10 MB, and of 1 TB.
SHAPES = {
    "1 GB": ((2000, 500, 250), (20, 500, 250), (2000, 25, 25)),
    "10 MB": ((1000, 50, 50), (10, 50, 50), (1000, 5, 5)),
    "1 TB": ((87600, 721, 4000), (24, 721, 4000), (87600, 10, 10)),
}


def seconds(plan: RechunkPlan, cost: CostModel) -> float:
    """The modelled time of a plan."""
    last = len(plan.stages) - 1
    return sum(
        cost.seconds(
            stage.tasks,
            (stage.gets, (cost.temp if i else cost.stored) * stage.bytes_read),
            (stage.puts, (cost.temp if i < last else cost.stored) * stage.bytes_written),
        )
        for i, stage in enumerate(plan.stages)
    )


def work(plan: RechunkPlan, cost: CostModel) -> float:
    """The seconds that a plan takes if one worker does it all, one request after the other."""
    return seconds(plan, replace(cost, workers=1, in_flight=1))


def check_work(plans: dict[int, RechunkPlan], cost: CostModel) -> None:
    """Check plans for several numbers of workers against the one for a single worker."""
    alone = plans[1]
    least = work(alone, cost)
    for workers, plan in plans.items():
        more, read = work(plan, cost) / least, plan.read_amplification / alone.read_amplification
        assert max(more, read) <= 2.2 + 1e-9, workers
        if max(more, read) > 1.25 + 1e-9:  # the plan for one worker is one that was to be beaten
            shared = seconds(alone, replace(cost, workers=workers))
            assert plan.cost <= shared / 2 * (1 + 1e-9), workers


@pytest.mark.parametrize("price", PRICES)
@pytest.mark.parametrize("size", SHAPES)
def test_work_is_bounded_whatever_the_number_of_workers(size: str, price: str) -> None:
    prices = replace(PRICES[price], serial=0.002)
    for max_mem in ("1GB", "4GB"):
        plans = {
            workers: plan_rechunk(*SHAPES[size], 4, max_mem, cost=replace(prices, workers=workers))
            for workers in WORKERS
        }
        assert [p.cost for p in plans.values()] == sorted(
            (plan.cost for plan in plans.values()), reverse=True
        )
        if size == "1 TB":  # all workers are busy for most of the time
            for n, plan in plans.items():
                engine = prices.serial * sum(stage.tasks for stage in plan.stages)
                assert plan.cost < 2 * plans[1].cost / n + engine
        else:  # a few for each worker
            assert all(s.tasks <= 4 * max(16, n) for n, plan in plans.items() for s in plan.stages)
        assert max(plan.read_amplification for plan in plans.values()) <= 2.5


@pytest.mark.slow
@given(cases(), st.sampled_from([2, 3, 5, 20]))
def test_work_is_bounded_for_all_arrays(case: Case, factor: int) -> None:
    cost = replace(case.cost, workers=1)
    plans = {
        workers: replace(case, cost=replace(cost, workers=workers)).plan(case.largest_unit * factor)
        for workers in WORKERS
    }
    check_work(plans, cost)


def test_arrays_share_the_workers_by_their_bytes() -> None:
    every = Parallelism(100, 2, 0.002)
    assert every.share(1, 100) == Parallelism(1, 2, 0.002)
    assert every.share(1, 30).workers == 3
    assert [every.share(n, 10).workers for n in (0, 1, 4, 10)] == [1, 10, 40, 100]
    assert every.share(0, 0).workers == 100


@pytest.mark.parametrize("workers", WORKERS)
def test_small_arrays_of_a_group_are_read_once(workers: int, tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "s")
    for n in range(20):
        values = np.arange(n, n + 4000, dtype="f4").reshape(100, 40)
        group.create_array(f"a{n}", data=values, chunks=(10, 40))
    executor = PythonExecutor(threads=1)
    executor.workers, executor.overhead = workers, 0.002
    planned = rechunker.rechunk(
        zarr.open_group(tmp_path / "s", mode="r"),
        {f"a{n}": (100, 4) for n in range(20)},
        "100MB",
        tmp_path / "t",
        temp_store=tmp_path / "x",
        executor=executor,
    )
    plans = planned.copy_plan.values()
    assert {plan.read_amplification for plan in plans} == {1.0}
    assert sum(stage.tasks for plan in plans for stage in plan.stages) <= max(20, 2 * workers)
    planned.execute()
    assert is_equal(arrays(tmp_path / "t"), arrays(tmp_path / "s"))


def test_an_engine_that_is_slow_for_each_task_gets_few_of_them() -> None:
    array = (*SHAPES["1 GB"], 4, "1GB")
    many, few = (
        plan_rechunk(*array, cost=replace(LOCAL, workers=100, serial=serial))
        for serial in (0.0, 0.1)
    )
    assert sum(s.tasks for s in few.stages) < 10 < sum(s.tasks for s in many.stages)
