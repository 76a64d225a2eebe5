"""`ThreadsExecutor` passes the suite of all executors."""

from __future__ import annotations

import pytest

from rechunker.testing import ExecutorTests, Watched
from rechunker_threads import ThreadsExecutor


class TestThreadsExecutor(ExecutorTests):
    executor = "threads"

    @pytest.fixture
    def watched(self) -> Watched:
        """Return keyword arguments of execute() and a check that they reach the executor."""
        seen: list[int] = []
        return Watched({"progress": lambda done, *_: seen.append(done)}, lambda: seen[-1] == 3)


class TestManyThreads(ExecutorTests):
    repeats = 5

    @pytest.fixture
    def engine(self) -> ThreadsExecutor:
        return ThreadsExecutor(workers=16)


def test_unknown_keywords_are_an_error() -> None:
    with pytest.raises(TypeError, match=r"no speed; execute\(\) takes progress"):
        ThreadsExecutor().execute_plan([], speed=2)
