"""Task runs in other processes: in a process pool and on a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import LocalCluster
from prefect.task_runners import ProcessPoolTaskRunner
from prefect_dask.task_runners import DaskTaskRunner

from rechunker import Rechunked, rechunk
from rechunker.testing import EndingTests, Failing, Flaky, Killing, Nothing
from rechunker.types import CopySpec, Stage, Traffic
from rechunker_prefect import PrefectExecutor

pytestmark = pytest.mark.usefixtures("plain")


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(tmp_path / "s", shape=(600, 40), chunks=(1, 40), dtype="i4")
    array[...] = np.arange(24_000).reshape(600, 40) + 1
    return array


@pytest.fixture(scope="module")
def cluster() -> Iterator[PrefectExecutor]:
    """Return an executor for a cluster of two processes."""
    sizes = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**sizes) as cluster:
        runner = DaskTaskRunner(address=cluster.scheduler_address)
        yield PrefectExecutor(runner, workers=2)


@pytest.fixture
def pool() -> PrefectExecutor:
    return PrefectExecutor(ProcessPoolTaskRunner(max_workers=2))


def plan(source: Any, place: Path, executor: PrefectExecutor, **stores: Any) -> Rechunked[Any]:
    places = {"target_store": place / "target", "temp_store": place / "temp", **stores}
    return rechunk(source, (600, 2), "20kB", executor=executor, **places)


def specs(tasks: int, work: Any) -> list[CopySpec]:
    return [CopySpec("a", (Stage("a: do", tasks, work, nbytes=10**12),))]


def killing(file: Path) -> Killing:
    """Return work that kills its process once, in the middle."""
    return Killing(Nothing(), 3, file, once=True)


def test_processes_of_a_pool(source: zarr.Array[Any], tmp_path: Path, pool: Any) -> None:
    rechunked = plan(source, tmp_path, pool)
    target: Any = rechunked.execute()
    np.testing.assert_array_equal(target[...], source[...])
    stages = rechunked.copy_plan[""].stages
    assert rechunked.traffic is not None
    assert rechunked.traffic.tasks == sum(stage.tasks for stage in stages) > 10


def test_a_killed_process_is_an_error(tmp_path: Path, pool: PrefectExecutor) -> None:
    (tmp_path / "armed").touch()
    with pytest.raises(BrokenProcessPool):
        pool.execute_plan(pool.prepare_plan(specs(8, killing(tmp_path / "armed"))))


def test_a_plan_for_this_process_fails_in_other_processes() -> None:
    made = PrefectExecutor().prepare_plan(specs(1, Nothing()))
    elsewhere: Any = ProcessPoolTaskRunner(max_workers=1)
    with pytest.raises(RuntimeError, match="plan again with an executor"):
        made.with_options(task_runner=elsewhere)()


def test_a_dask_cluster(source: zarr.Array[Any], tmp_path: Path, cluster: Any) -> None:
    target: Any = plan(source, tmp_path, cluster).execute()
    np.testing.assert_array_equal(target[...], source[...])


def test_failures_on_a_dask_cluster_reach_the_caller(tmp_path: Path, cluster: Any) -> None:
    (tmp_path / "broken").touch()
    made = cluster.prepare_plan(specs(6, Failing(tmp_path / "broken", 2)))
    with pytest.raises(ValueError, match="task 2 fails on purpose"):
        cluster.execute_plan(made)


class TestEndingOnACluster(EndingTests):
    @pytest.fixture
    def engine(self, cluster: PrefectExecutor) -> PrefectExecutor:
        return cluster


def test_retries_on_a_dask_cluster(tmp_path: Path, cluster: Any) -> None:
    made = cluster.prepare_plan(specs(3, Flaky(tmp_path, times=2)))
    assert cluster.execute_plan(made, retries=2).tasks == 3


def test_tasks_of_a_killed_dask_worker_are_run_again(tmp_path: Path, cluster: Any) -> None:
    (tmp_path / "armed").touch()
    made = cluster.prepare_plan(specs(8, killing(tmp_path / "armed")))
    assert cluster.execute_plan(made) == Traffic(tasks=8)
    assert not (tmp_path / "armed").exists()


@pytest.mark.parametrize("role", ["target_store", "temp_store"])
@pytest.mark.parametrize("where", ["pool", "cluster"])
def test_stores_in_memory_are_refused(
    where: str, role: str, source: zarr.Array[Any], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="in the memory of this process"):
        plan(source, tmp_path, request.getfixturevalue(where), **{role: {}})
