"""Plans are delayed objects: small, readable, and complete without `execute_plan`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cloudpickle
import dask
import numpy as np
import pytest
import zarr
from dask.delayed import Delayed
from dask.utils import key_split

from rechunker import Rechunked, rechunk
from rechunker.plugins import get_executor
from rechunker.running import BatchRunner
from rechunker.testing import Nothing
from rechunker.types import Changes, CopySpec, Stage, Traffic
from rechunker_dask import DaskExecutor
from rechunker_dask.tasks import Sealed, run_batches


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(tmp_path / "s", shape=(60, 50), chunks=(1, 50), dtype="i4")
    array[...] = np.arange(3000).reshape(60, 50) + 1
    return array


def plan(source: Any, place: Path, executor: Any = None) -> Rechunked[Any]:
    return rechunk(
        source, (60, 1), 2000, place / "target", temp_store=place / "temp", executor=executor
    )


def million() -> list[CopySpec]:
    stages = (Stage(f"air-2m: {verb}", 500_000, Nothing(), nbytes=10**13) for verb in ("r", "w"))
    return [CopySpec("air-2m", tuple(stages))]


def test_dask_is_the_default_if_it_is_installed() -> None:
    assert isinstance(get_executor(), DaskExecutor)


def test_the_documented_import_path_works() -> None:
    from rechunker.executors.dask import DaskExecutor as Documented

    assert Documented is DaskExecutor


def test_a_plan_is_delayed(source: zarr.Array[Any], tmp_path: Path) -> None:
    assert type(plan(source, tmp_path).plan) is Delayed


def test_computing_a_plan_publishes_the_target(source: zarr.Array[Any], tmp_path: Path) -> None:
    plan(source, tmp_path).plan.compute()
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target")[...], source[...])
    assert not any((tmp_path / "temp").rglob("*"))


def test_plans_can_be_computed_together(source: zarr.Array[Any], tmp_path: Path) -> None:
    places = [tmp_path / "1", tmp_path / "2"]
    dask.compute(*(plan(source, place).plan for place in places))
    for place in places:
        np.testing.assert_array_equal(zarr.open_array(place / "target")[...], source[...])


def test_a_plan_of_a_million_tasks_is_small() -> None:
    start = time.process_time()
    plan = DaskExecutor().prepare_plan(million())
    assert time.process_time() - start < 2
    assert len(plan.dask) < 4100
    assert len(cloudpickle.dumps(plan)) < 1_000_000


def test_a_large_cluster_gets_more_batches() -> None:
    assert len(DaskExecutor(workers=1000).prepare_plan(million()).dask) > 16_000


def test_small_tasks_share_batches() -> None:
    stage = Stage("a", 10_000, Nothing(), nbytes=10_000)
    assert len(DaskExecutor(workers=2).prepare_plan([CopySpec("a", (stage,))]).dask) < 300


def test_large_tasks_have_batches_of_their_own() -> None:
    stage = Stage("a", 100, Nothing(), nbytes=100 * 10**9)
    assert len(DaskExecutor(workers=2).prepare_plan([CopySpec("a", (stage,))]).dask) == 102


def arrays(number: int) -> list[CopySpec]:
    names = [f"a{i}" for i in range(number)]
    return [CopySpec(name, (Stage(f"{name}: copy", 1, Nothing(), nbytes=80),)) for name in names]


def test_small_arrays_share_dask_tasks() -> None:
    graph = DaskExecutor(workers=2).prepare_plan(arrays(1000)).dask
    assert len(graph) < 30
    names = {key_split(key) for key in graph if isinstance(key, tuple)}
    assert names == {"a0: copy and 999 more"}


def test_a_few_small_arrays_have_dask_tasks_of_their_own() -> None:
    graph = DaskExecutor(workers=2).prepare_plan(arrays(16)).dask
    names = {key_split(key) for key in graph if isinstance(key, tuple)}
    assert names == {f"a{i}: copy" for i in range(16)}


@pytest.mark.parametrize("number", [3, 1000])
@pytest.mark.parametrize("sent", [False, True])
def test_progress_of_many_arrays(number: int, sent: bool) -> None:
    plan = DaskExecutor("synchronous", workers=2).prepare_plan(arrays(number))
    if sent:
        plan = cloudpickle.loads(cloudpickle.dumps(plan))
    seen: list[tuple[int, int, int]] = []
    executor = DaskExecutor("synchronous")
    executor.execute_plan(plan, progress=lambda *state: seen.append(state))
    assert seen[-1][:2] == (number, number)
    assert len(seen) in (number, 25)  # each call tells of itself


def test_the_dashboard_shows_arrays_and_stages() -> None:
    keys = DaskExecutor().prepare_plan(million()).dask
    names = {key_split(key) for key in keys}
    assert names == {
        *("air_2m: r", "air_2m: w"),
        *("rechunk-barrier", "rechunk-gate", "rechunk-runner"),
    }


def test_two_plans_share_no_key() -> None:
    keys = [set(DaskExecutor().prepare_plan(million()).dask) for _ in range(2)]
    assert not keys[0] & keys[1]


def test_the_value_of_a_plan_is_the_traffic_of_all_tasks() -> None:
    stages = tuple(Stage(name, 10, Nothing()) for name in "abc")
    assert DaskExecutor().prepare_plan([CopySpec("", stages)]).compute() == Traffic(tasks=30)


@pytest.mark.parametrize("bad", [{"retries": -1}, {"workers": 0}, {"threads": 0}])
def test_numbers_are_checked(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        DaskExecutor(**bad)


def test_what_a_round_has_written_is_not_sent_to_the_next() -> None:
    """The traffic of a round may hold the changes of a session, which are many."""
    graph = dict(DaskExecutor().prepare_plan(million()).dask)
    batches = {key: task for key, task in graph.items() if isinstance(key, tuple)}
    needed = {str(name) for task in batches.values() for name in task.dependencies}
    assert {key_split(name) for name in needed} == {"rechunk-gate", "rechunk-runner"}


def test_a_call_hands_back_what_is_written_to_a_session_once() -> None:
    """Each stage hands back all that was written through the fork which the call has."""

    def written(number: int) -> Stage:
        done = tuple((f"a{i}", (0,)) for i in range(number))
        traffic = Traffic(tasks=1, changes=(Changes(done, b"fork"),))
        return Stage(f"a{number}", 1, lambda tasks: iter([traffic]))

    sealed = Sealed((written(1), written(2), Stage("temp", 1, Nothing())))
    traffic = run_batches(sealed, (range(1),) * 3, BatchRunner())
    assert traffic.tasks == 3
    assert traffic.changes == (Changes((("a0", (0,)), ("a1", (0,))), b"fork"),)
