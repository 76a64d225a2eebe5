"""A worker that is killed takes no data with it; tasks that kill workers are an error."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client, KilledWorker, LocalCluster

from rechunker import rechunk
from rechunker.testing import Recorder, Slow
from rechunker.types import CopySpec, Traffic
from rechunker_dask import DaskExecutor


@pytest.fixture
def workers() -> Iterator[Client]:
    """Start workers that no other test needs."""
    sizes = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**sizes) as cluster, Client(cluster) as client:
        yield client


def slowed(spec: CopySpec, folder: Path) -> CopySpec:
    """Return a spec whose tasks take a while, and leave files in a folder for each stage."""
    stages = []
    for number, stage in enumerate(spec.stages):
        (folder / str(number)).mkdir(exist_ok=True)
        work = Slow(stage.work, 0.05, folder / str(number))
        stages.append(replace(stage, work=work) if stage.nbytes else stage)
    return replace(spec, stages=tuple(stages))


def await_files(folder: Path, number: int) -> None:
    until = time.monotonic() + 60
    while len(list(folder.iterdir())) < number:
        assert time.monotonic() < until
        time.sleep(0.01)


@dataclass(frozen=True)
class Killing:
    """Kill the process that runs the work of a stage, for as long as there is a certain file."""

    work: Callable[[range], Any]
    file: Path

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        if self.file.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        yield from self.work(tasks)


def killing(spec: CopySpec, file: Path) -> CopySpec:
    """Return a spec whose second half of stages kills workers."""
    half = len(spec.stages) // 2
    stages = (replace(stage, work=Killing(stage.work, file)) for stage in spec.stages[half:])
    return replace(spec, stages=(*spec.stages[:half], *stages))


def planned(executor: DaskExecutor, tmp_path: Path) -> tuple[zarr.Array[Any], list[CopySpec]]:
    """Return a source, and the specs of a plan that goes by way of a temporary store."""
    source = zarr.create_array(tmp_path / "s", shape=(60, 50), chunks=(1, 50), dtype="i4")
    source[...] = np.arange(3000).reshape(60, 50) + 1
    rechunked: Any = rechunk(
        source,
        (60, 1),
        2000,
        tmp_path / "target",
        temp_store=tmp_path / "temp",
        executor=Recorder(executor),
    )
    return source, list(rechunked.plan)


@pytest.mark.parametrize("stage", [1, 2])
def test_killed_worker(workers: Client, stage: int, tmp_path: Path) -> None:
    executor = DaskExecutor()
    source, specs = planned(executor, tmp_path)
    (tmp_path / "marks").mkdir()
    plan = executor.prepare_plan(slowed(spec, tmp_path / "marks") for spec in specs)
    future = workers.compute(plan)
    await_files(tmp_path / "marks" / str(stage), 4)
    lost = next(iter(workers.run(os.getpid).values()))
    os.kill(lost, signal.SIGKILL)
    assert future.result(timeout=60).tasks == sum(s.tasks for c in specs for s in c.stages) - 1
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target")[...], source[...])
    assert lost not in workers.run(os.getpid).values()


def test_tasks_that_kill_every_worker(workers: Client, tmp_path: Path) -> None:
    executor = DaskExecutor()
    source, specs = planned(executor, tmp_path)
    (tmp_path / "broken").touch()
    plan = executor.prepare_plan(killing(spec, tmp_path / "broken") for spec in specs)
    with pytest.raises(KilledWorker):
        executor.execute_plan(plan)
    with pytest.raises(FileNotFoundError):
        zarr.open(tmp_path / "target", mode="r")
    (tmp_path / "broken").unlink()
    workers.wait_for_workers(2, timeout=60)
    executor.execute_plan(plan)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target")[...], source[...])
