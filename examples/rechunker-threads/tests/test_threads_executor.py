"""`ThreadsExecutor` passes the suite of all executors."""

from __future__ import annotations

import pytest

from rechunker.testing import ExecutorTests, Patient, Watched
from rechunker_threads import ThreadsExecutor


class TestThreadsExecutor(ExecutorTests):
    executor = "threads"

    @pytest.fixture
    def patient(self) -> Patient:
        """Return the executor with the keyword that makes it try a task three times."""
        return Patient(ThreadsExecutor(), {"retries": 2})

    @pytest.fixture
    def watched(self) -> Watched:
        """Return keyword arguments of execute() and a check that they reach the executor."""
        seen: list[tuple[int, int, int]] = []
        return Watched(
            {"progress": lambda *figures: seen.append(figures)}, lambda: seen[-1] == (3, 3, 0)
        )


class TestManyWorkers(ExecutorTests):
    repeats = 5

    @pytest.fixture
    def engine(self) -> ThreadsExecutor:
        return ThreadsExecutor(workers=16)


def test_unknown_keywords_are_an_error() -> None:
    with pytest.raises(TypeError, match=r"no speed; execute\(\) takes retries, progress"):
        ThreadsExecutor().execute_plan([], speed=2)
