"""A worker process that dies is an error, or what it had is done by another one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from pywren_work import Exiting, Killing, Telling, is_running, processes, telling, wait_for

from rechunker import rechunk
from rechunker.testing import Nothing, Recorder
from rechunker.types import CopySpec, Stage
from rechunker_pywren import LostWorkerError, PywrenExecutor
from rechunker_pywren.plans import Plan


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(tmp_path / "s", shape=(60, 50), chunks=(1, 50), dtype="i4")
    array[...] = np.arange(3000).reshape(60, 50) + 1
    return array


def prepared(source: Any, executor: PywrenExecutor, place: Path) -> Plan:
    """Return a real plan of two stages, whose tasks tell where they run."""
    stores: Any = {"target_store": place / "target", "temp_store": place / "temp"}
    specs: Any = rechunk(source, (60, 1), 2000, executor=Recorder(executor), **stores).plan
    return executor.prepare_plan([telling(spec, place / "marks", 0.05) for spec in specs])


@contextmanager
def killed_in(folder: Path) -> Iterator[None]:
    """Kill a worker process as soon as there are some files in a folder."""

    def kill() -> None:
        wait_for(lambda: len(list(folder.glob("*"))) >= 4)
        os.kill(min(processes(folder)), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    yield
    killer.join()


def specs_of(work: Any, tasks: int = 40) -> list[CopySpec]:
    return [CopySpec("a", (Stage("a: read", tasks, work),))]


def test_a_killed_worker_is_an_error(source: zarr.Array[Any], tmp_path: Path) -> None:
    plan = prepared(source, PywrenExecutor(workers=2), tmp_path)
    with killed_in(tmp_path / "marks" / "2"), pytest.raises(LostWorkerError, match="-9"):
        plan()
    assert not any(map(is_running, processes(tmp_path / "marks")))
    with pytest.raises(FileNotFoundError):
        zarr.open(tmp_path / "target", mode="r")
    plan()
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target")[...], source[...])


@pytest.mark.parametrize("stage", [1, 2])
def test_with_retries_a_killed_worker_is_made_up_for(
    source: zarr.Array[Any], stage: int, tmp_path: Path
) -> None:
    plan = prepared(source, PywrenExecutor(workers=2, retries=1), tmp_path)
    with killed_in(tmp_path / "marks" / str(stage)):
        traffic = plan()
    assert len(processes(tmp_path / "marks")) == 4
    assert traffic == plan()
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target")[...], source[...])


def test_the_error_names_what_ran(tmp_path: Path) -> None:
    executor = PywrenExecutor(workers=2)
    plan = executor.prepare_plan(specs_of(Killing(tmp_path, task=7, times=1)))
    with pytest.raises(LostWorkerError, match=r"a: read, tasks \d+ to \d+.*max_mem.*retries"):
        plan()


def test_a_task_that_always_kills_its_worker_is_given_up(tmp_path: Path) -> None:
    executor = PywrenExecutor(workers=2, retries=2)
    plan = executor.prepare_plan(specs_of(Killing(tmp_path, task=7, times=100)))
    with pytest.raises(LostWorkerError):
        plan()
    assert len(list(tmp_path.glob("tried-7.*"))) == 3


def test_the_process_of_pywren_may_die_as_well(tmp_path: Path) -> None:
    executor = PywrenExecutor(workers=1, retries=1)
    plan = executor.prepare_plan(specs_of(Telling(Nothing(), tmp_path, 0.1), tasks=8))

    def kill() -> None:
        wait_for(lambda: bool(processes(tmp_path)))
        (worker,) = processes(tmp_path)
        os.kill(parent_of(worker), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    assert plan().tasks == 8
    killer.join()
    assert len(processes(tmp_path)) == 2
    assert not any(map(is_running, processes(tmp_path)))


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])


def test_what_is_no_exception_does_not_end_a_worker() -> None:
    executor = PywrenExecutor(workers=2)
    with pytest.raises(RuntimeError, match=r"SystemExit\('no more'\)"):
        executor.prepare_plan(specs_of(Exiting()))()


def test_a_given_executor_that_lost_a_worker_is_of_no_use(
    own_functions: Any, tmp_path: Path
) -> None:
    executor = PywrenExecutor(own_functions, retries=5)
    plan = executor.prepare_plan(specs_of(Killing(tmp_path, task=7, times=1)))
    for _ in range(2):
        with pytest.raises(LostWorkerError, match="make a new one"):
            plan()
