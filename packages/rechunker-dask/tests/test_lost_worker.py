"""A worker that is killed in the middle takes no data with it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster

from rechunker import rechunk
from rechunker.testing import Recorder, Slow
from rechunker.types import CopySpec
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


@pytest.mark.parametrize("stage", [1, 2])
def test_killed_worker(workers: Client, stage: int, tmp_path: Path) -> None:
    source = zarr.create_array(tmp_path / "s", shape=(60, 50), chunks=(1, 50), dtype="i4")
    source[...] = np.arange(3000).reshape(60, 50) + 1
    executor = DaskExecutor()
    specs: Any = rechunk(
        source,
        (60, 1),
        2000,
        tmp_path / "target",
        temp_store=tmp_path / "temp",
        executor=Recorder(executor),
    ).plan
    (tmp_path / "marks").mkdir()
    plan = executor.prepare_plan(slowed(spec, tmp_path / "marks") for spec in specs)
    future = workers.compute(plan)
    await_files(tmp_path / "marks" / str(stage), 4)
    lost = next(iter(workers.run(os.getpid).values()))
    os.kill(lost, signal.SIGKILL)
    assert future.result(timeout=60).tasks == sum(s.tasks for c in specs for s in c.stages) - 1
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target")[...], source[...])
    assert lost not in workers.run(os.getpid).values()
