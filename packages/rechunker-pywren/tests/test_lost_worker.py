"""A worker process that dies is an error, or its calls are run again by another one."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from pywren_work import Exiting, is_running, processes, wait_for

from rechunker.testing import KilledWorkerTests, Killing, Nothing, Telling
from rechunker.types import CopySpec, Stage
from rechunker_pywren import LostWorkerError, PywrenExecutor


def specs_of(work: Any, tasks: int = 40) -> list[CopySpec]:
    return [CopySpec("a", (Stage("a: read", tasks, work),))]


def killing(file: Path) -> Killing:
    """Return work that kills its process once."""
    file.touch()
    return Killing(Nothing(), 7, file)


class TestWithoutRetries(KilledWorkerTests):
    executor = "pywren"
    survives = False
    error = "exit code -9"


class TestWithRetries(KilledWorkerTests):
    executor = "pywren"
    survives = True
    error = "exit code -9"

    @pytest.fixture
    def engine(self) -> PywrenExecutor:
        return PywrenExecutor(workers=2, retries=1)


def test_the_error_names_the_lost_calls(tmp_path: Path) -> None:
    executor = PywrenExecutor(workers=2)
    plan = executor.prepare_plan(specs_of(killing(tmp_path / "armed")))
    with pytest.raises(LostWorkerError, match=r"a: read, tasks \d+ to \d+.*max_mem.*retries"):
        plan()


def test_the_child_process_may_die_as_well(tmp_path: Path) -> None:
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


def test_a_base_exception_does_not_end_a_worker() -> None:
    executor = PywrenExecutor(workers=2)
    with pytest.raises(RuntimeError, match=r"SystemExit\('no more'\)"):
        executor.prepare_plan(specs_of(Exiting()))()


def test_a_user_executor_that_lost_a_worker_cannot_be_used(
    own_functions: Any, tmp_path: Path
) -> None:
    executor = PywrenExecutor(own_functions, retries=5)
    plan = executor.prepare_plan(specs_of(killing(tmp_path / "armed")))
    for _ in range(2):  # the worker that is left does not help: the lost one may hold a lock
        with pytest.raises(LostWorkerError, match="make a new one"):
            plan()
