"""Batches are run task by task, again from where a task failed, and only where they may be."""

from __future__ import annotations

import logging
import os
import pickle
import time
from pathlib import Path

import pytest

from rechunker.running import BatchRunner
from rechunker.testing import Flaky, Nothing
from rechunker.types import Stage, Traffic


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Write down how long a runner would pause, instead of pausing."""
    seen: list[float] = []
    monkeypatch.setattr(time, "sleep", seen.append)
    return seen


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_only_the_tasks_of_the_range_are_run() -> None:
    assert BatchRunner()(Stage("a", 9, Nothing()), range(2, 5)) == Traffic(tasks=3)


def test_without_retries_the_first_failure_ends_a_batch(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="fails on attempt 1"):
        BatchRunner()(Stage("a", 9, Flaky(tmp_path, times=1)), range(9))
    assert names(tmp_path) == ["flaky 0.0", "flaky 1.0"]


def test_a_batch_goes_on_where_it_failed(tmp_path: Path) -> None:
    done = BatchRunner(retries=1)(Stage("a", 6, Flaky(tmp_path, times=1)), range(6))
    assert done == Traffic(tasks=6)
    again = ["flaky 1.1", "flaky 4.1"]
    assert names(tmp_path) == sorted([f"flaky {task}.0" for task in range(6)] + again)


def test_each_task_has_its_own_number_of_retries(tmp_path: Path) -> None:
    stage = Stage("a", 30, Flaky(tmp_path, times=2))
    assert BatchRunner(retries=2)(stage, range(30)).tasks == 30


def test_retries_come_to_an_end(tmp_path: Path) -> None:
    stage = Stage("a", 3, Flaky(tmp_path, times=9))
    with pytest.raises(OSError, match="fails on attempt 3"):
        BatchRunner(retries=2)(stage, range(3))


def test_pauses_grow_to_a_limit(tmp_path: Path, pauses: list[float]) -> None:
    BatchRunner(retries=9)(Stage("a", 3, Flaky(tmp_path, times=9)), range(3))
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10]


def test_failures_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "rechunker.running"):
        BatchRunner(retries=1)(Stage("air: read", 3, Flaky(tmp_path, times=1)), range(3))
    (message,) = caplog.messages
    assert message.startswith("air: read, task 1: OSError(")


def test_a_runner_of_this_process_runs_nowhere_else() -> None:
    stage = Stage("a", 1, Nothing())
    assert BatchRunner(home=os.getpid())(stage, range(1)).tasks == 1
    with pytest.raises(RuntimeError, match="plan again with an executor"):
        BatchRunner(home=os.getpid() + 1)(stage, range(1))


def test_runners_are_small() -> None:
    assert len(pickle.dumps(BatchRunner(3, 1))) < 200
