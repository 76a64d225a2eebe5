"""Plans run with every scheduler of Dask, and with its progress bars and retries."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import zarr
from dask.diagnostics import ProgressBar
from distributed import Client, LocalCluster, progress

from rechunker import Rechunked, rechunk
from rechunker.testing import Flaky, Nothing
from rechunker.types import CopySpec, Stage, Traffic
from rechunker_dask import DaskExecutor, WorkerMemoryWarning


@dataclass(frozen=True)
class Waiting:
    """Let each task wait, for ten seconds, until a file with its number is there."""

    folder: Path

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            until = time.monotonic() + 10
            while not (self.folder / str(task)).exists():
                if time.monotonic() > until:
                    raise TimeoutError(f"nothing is reported before task {task}")
                time.sleep(0.01)
            yield Traffic(tasks=1)


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(tmp_path / "s", shape=(60, 50), chunks=(1, 50), dtype="i4")
    array[...] = np.arange(3000).reshape(60, 50) + 1
    return array


def plan(source: Any, place: Path, executor: Any = "dask", **stores: Any) -> Rechunked[Any]:
    given = {"target_store": place / "target", "temp_store": place / "temp", **stores}
    return rechunk(source, (60, 1), 2000, executor=executor, **given)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_schedulers_of_one_machine(scheduler: str, source: zarr.Array[Any], tmp_path: Path) -> None:
    target: Any = plan(source, tmp_path).execute(scheduler=scheduler, num_workers=2)
    np.testing.assert_array_equal(target[...], source[...])


def test_the_scheduler_of_the_executor_overrides_the_default_of_dask(
    source: zarr.Array[Any], tmp_path: Path
) -> None:
    with dask.config.set(scheduler=lambda *args, **kwargs: pytest.fail("wrong scheduler")):
        target: Any = plan(source, tmp_path, DaskExecutor("threads")).execute()
    np.testing.assert_array_equal(target[...], source[...])


def test_a_client_may_be_the_scheduler(
    client: Client, source: zarr.Array[Any], tmp_path: Path
) -> None:
    with dask.config.set(scheduler="threads"):
        executor = DaskExecutor(client)
        assert executor.workers == 2
        target: Any = plan(source, tmp_path, executor).execute()
    np.testing.assert_array_equal(target[...], source[...])


def test_client_computes_a_plan(client: Client, source: zarr.Array[Any], tmp_path: Path) -> None:
    rechunked = plan(source, tmp_path)
    traffic = client.compute(rechunked.plan).result()
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target")[...], source[...])
    stages = rechunked.copy_plan[""].stages
    assert traffic.bytes_written == sum(stage.bytes_written for stage in stages)


def test_progress_on_a_cluster(
    client: Client, source: zarr.Array[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    future = client.compute(plan(source, tmp_path).plan)
    progress(future, notebook=False)
    assert "100%" in capsys.readouterr().out


def test_progress_bar(
    source: zarr.Array[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressBar():
        plan(source, tmp_path).execute()
    assert "100%" in capsys.readouterr().out


def test_the_bar_moves_while_the_cluster_works(
    client: Client, source: zarr.Array[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(source, tmp_path).execute(progress=True)
    shown = {int(percent) for percent in re.findall(r"(\d+)%", capsys.readouterr().err)}
    assert max(shown) == 100


def test_progress_comes_before_the_plan_is_done(client: Client, tmp_path: Path) -> None:
    """The second task waits for a file that is made when the first one is reported."""
    (tmp_path / "marks").mkdir()
    stage = Stage("a", 2, Waiting(tmp_path / "marks"), nbytes=10**12)
    executor = DaskExecutor()
    (tmp_path / "marks" / "0").touch()
    seen: list[int] = []

    def progress(done: int, total: int, nbytes: int) -> None:
        seen.append(done)
        (tmp_path / "marks" / str(done)).touch()

    executor.execute_plan(executor.prepare_plan([CopySpec("a", (stage,))]), progress=progress)
    assert seen == [1, 2]


def test_an_error_in_progress_leaves_nothing_on_the_cluster(
    client: Client, source: zarr.Array[Any], tmp_path: Path
) -> None:
    def stop(*state: int) -> None:
        raise KeyboardInterrupt

    rechunked = plan(source, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        rechunked.execute(progress=stop)
    assert not any(client.processing().values())
    np.testing.assert_array_equal(rechunked.execute(resume=True)[...], source[...])


def test_dasks_own_bar_and_ours_at_once(
    source: zarr.Array[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ProgressBar():
        plan(source, tmp_path).execute(progress=True)
    shown = capsys.readouterr()
    assert "100%" in shown.out
    assert "100%" in shown.err


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_retries_with_schedulers_that_have_none(scheduler: str, tmp_path: Path) -> None:
    specs = [CopySpec("a", (Stage("a", 3, Flaky(tmp_path, times=2)),))]
    executor = DaskExecutor(scheduler, retries=2)
    assert executor.execute_plan(executor.prepare_plan(specs), num_workers=2).tasks == 3


def test_retries_of_the_cluster(client: Client, tmp_path: Path) -> None:
    specs = [CopySpec("a", (Stage("a", 3, Flaky(tmp_path, times=2)),))]
    plan = DaskExecutor().prepare_plan(specs)
    assert client.compute(plan, retries=2).result().tasks == 3


def test_stores_in_memory_with_a_scheduler_in_this_process(source: zarr.Array[Any]) -> None:
    stores: dict[str, Any] = {"target_store": {}, "temp_store": {}}
    target: Any = plan(source, Path(), DaskExecutor("threads"), **stores).execute()
    np.testing.assert_array_equal(target[...], source[...])


def test_a_plan_for_this_process_fails_in_other_processes(
    client: Client, source: zarr.Array[Any], tmp_path: Path
) -> None:
    planned = plan(source, tmp_path, DaskExecutor("threads"), target_store={})
    with pytest.raises(RuntimeError, match="plan again with an executor"):
        client.compute(planned.plan).result()


def test_plans_are_made_for_the_threads_of_the_cluster(client: Client) -> None:
    assert DaskExecutor().workers == 2
    assert DaskExecutor(workers=7).workers == 7


def test_plans_are_made_for_the_cores_of_the_machine() -> None:
    assert DaskExecutor().workers == dask.system.CPU_COUNT
    assert DaskExecutor("synchronous").workers == 1
    with dask.config.set(num_workers=11):
        assert DaskExecutor().workers == 11
    with dask.config.set(scheduler="synchronous"):
        assert DaskExecutor().workers == 1


def tasks_of(nbytes: int) -> list[CopySpec]:
    return [CopySpec("a", (Stage("a", 3, Nothing(), memory=nbytes),))]


def test_a_warning_if_workers_have_too_little_memory() -> None:
    sizes = {"threads_per_worker": 4, "memory_limit": 10**9, "dashboard_address": ":0"}
    with LocalCluster(n_workers=1, processes=False, **sizes) as cluster, Client(cluster):
        with pytest.warns(WorkerMemoryWarning, match=r"besides the 170 MB of .* to 157\.5 MB"):
            DaskExecutor().prepare_plan(tasks_of(200 * 10**6))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            DaskExecutor().prepare_plan(tasks_of(157 * 10**6))


def test_a_cluster_that_adapts_is_planned_for_at_its_largest() -> None:
    """Its maximum has a private name, seen with distributed 2026.8.0."""
    sizes: dict[str, Any] = {"threads_per_worker": 3, "dashboard_address": ":0"}
    with LocalCluster(n_workers=0, processes=False, **sizes) as cluster, Client(cluster):
        cluster.adapt(minimum=0)  # up to as many as can be
        assert DaskExecutor().workers < 10_000
        cluster.adapt(minimum=0, maximum=300)
        assert DaskExecutor().workers == 900
        cluster.adapt(minimum=1, maximum=2)
        assert DaskExecutor().workers == 6
