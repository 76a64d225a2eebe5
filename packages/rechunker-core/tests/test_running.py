"""Batches are run task by task, again from where a task failed, and only where they may be."""

from __future__ import annotations

import logging
import os
import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rechunker.running import BatchRunner, Execution, StoppedError, reporter
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


def test_a_stopped_execution_ends_before_the_next_task() -> None:
    execution = Execution()
    stage = Stage("a", 9, Stopping(execution, 3))
    with pytest.raises(StoppedError):
        BatchRunner(retries=5, execution=execution)(stage, range(9))
    assert not execution.is_running
    with pytest.raises(StoppedError):  # a batch that arrives late
        BatchRunner(execution=pickle.loads(pickle.dumps(execution)))(stage, range(9))


def test_the_end_of_an_execution_waits_for_a_task_that_runs() -> None:
    execution = Execution()
    begun, may_end = threading.Event(), threading.Event()

    def work(tasks: range) -> Iterator[Traffic]:
        begun.set()
        may_end.wait()
        yield Traffic(tasks=1)

    runner = BatchRunner(execution=execution)
    thread = threading.Thread(target=runner, args=(Stage("a", 1, work), range(1)))
    thread.start()
    begun.wait()
    ending = threading.Thread(target=execution.end)
    ending.start()
    ending.join(0.1)
    assert ending.is_alive()
    may_end.set()
    ending.join()
    thread.join()


def test_an_end_does_not_wait_for_a_retry(tmp_path: Path) -> None:
    execution = Execution()
    stage = Stage("a", 2, Flaky(tmp_path, times=99))
    errors: list[Exception] = []

    def run() -> None:
        try:
            BatchRunner(retries=99, execution=execution)(stage, range(2))
        except StoppedError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    while not (tmp_path / "flaky 1.0").exists():
        threading.Event().wait(0.01)
    execution.end()
    thread.join()
    assert len(errors) == 1


class Stopping:
    """Stop an execution in one task."""

    def __init__(self, execution: Execution, task: int) -> None:
        self.execution = execution
        self.task = task

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            assert task <= self.task
            if task == self.task:
                self.execution.stop()
            yield Traffic(tasks=1)


@pytest.mark.parametrize("tasks", [2**62, range(2**62), range(5, 12), -1, range(-2, 3)])
def test_task_numbers_are_checked_without_walking_the_range(tasks: int | range) -> None:
    with pytest.raises(IndexError, match=r"must be in range\(9\), got"):
        Stage("a", 9, Nothing())(tasks)


def test_runners_are_small() -> None:
    assert len(pickle.dumps(BatchRunner(3, 1))) < 200


def test_errors_of_the_caller_keep_their_tracebacks() -> None:
    """Those of tasks that are tried again lose them, with the memory that they hold."""
    errors: list[BaseException] = []

    def work(tasks: range) -> Iterator[Traffic]:
        for _ in tasks:
            if len(errors) < 2:
                try:
                    raise OSError("store")
                except OSError as error:
                    errors.append(error)
                    raise ValueError("task") from error
            yield Traffic(tasks=1)

    caller = None
    try:
        raise KeyError("of the caller")
    except KeyError as error:
        caller = error
        assert BatchRunner(retries=2)(Stage("a", 2, work), range(2)).retries == 2
    assert caller is not None
    assert caller.__traceback__ is not None
    assert [error.__traceback__ for error in errors] == [None, None]
    errors.clear()
    with pytest.raises(ValueError, match="task") as caught:
        BatchRunner(retries=1)(Stage("a", 2, work), range(2))
    assert caught.value.__traceback__ is not None
    assert caught.value.__cause__ is errors[1]
    assert errors[1].__traceback__ is not None


def test_progress_that_failed_is_not_shown_again() -> None:
    seen = []

    def show(done: int, *_: int) -> None:
        seen.append(done)
        raise InterruptedError

    stage = Stage("a", 3, Nothing(), nbytes=3)
    with reporter(show, [[stage]]) as report:
        with pytest.raises(InterruptedError):
            report(Traffic(tasks=1))
        report(Traffic(tasks=1))
    assert seen == [1]
