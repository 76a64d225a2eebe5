"""`ProgressTests`: an executor that takes `progress` reports it as all others do."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rechunker
from rechunker.testing.arrays import make
from rechunker.testing.ending import check_that_nothing_runs
from rechunker.testing.engine import LARGE, EngineTests, names
from rechunker.testing.work import Marking
from rechunker.types import CopySpec, Executor, Stage

__all__ = ["ProgressTests"]

TASKS = 12
State = tuple[int, int, int]


class StoppedError(Exception):
    """What a function of the user raises."""


class Watch:
    """A function of the user, that must be called in this process, by one thread at a time."""

    def __init__(self, stop: bool = False) -> None:
        self.states: list[State] = []
        self._process, self._stop, self._busy = os.getpid(), stop, threading.Lock()

    def __call__(self, *state: int) -> None:
        assert os.getpid() == self._process
        assert self._busy.acquire(blocking=False), "two calls at a time"
        time.sleep(0.001)
        done, total, nbytes = state
        self.states.append((done, total, nbytes))
        self._busy.release()
        if self._stop:
            raise StoppedError("stopped by the user")

    def check(self, total: int) -> None:
        """Check that it was called with more and more tasks, and at the end with all of them."""
        assert self.states[-1][:2] == (total, total)
        assert {state[1] for state in self.states} == {total}
        for before, after in pairwise(self.states):
            assert before[0] < after[0]
            assert before[2] <= after[2]


@contextmanager
def unless_refused(*, stops: bool = False) -> Iterator[None]:
    """Leave the context if the executor refuses the argument by its name.

    Parameters
    ----------
    stops
        Whether the error of the user's function must reach the caller.
    """
    try:
        yield
    except TypeError as refusal:
        if "progress" not in str(refusal):
            raise
    except StoppedError:
        assert stops
    else:
        assert not stops, "the error of the user's function is lost"


class ProgressTests(EngineTests):
    """Part of `rechunker.testing.ExecutorTests`.

    An executor without progress must refuse the argument with a `TypeError` that names it.
    """

    def test_progress_is_reported_to_the_end(self, engine: Executor[Any], marks: Path) -> None:
        stages = [Stage(f"a: {n}", TASKS, Marking(marks, f"{n}"), nbytes=LARGE) for n in (1, 2)]
        uncounted = Stage("finish", 1, Marking(marks, "finish"))
        watch = Watch()
        with unless_refused():
            self.run(engine, [CopySpec("a", (*stages, uncounted))], progress=watch)
            watch.check(2 * TASKS)
            assert len(names(marks)) == 2 * TASKS + 1

    def test_an_error_of_the_user_ends_the_plan(self, engine: Executor[Any], marks: Path) -> None:
        stage = Stage("a: first", TASKS, Marking(marks, "first"), nbytes=LARGE)
        specs = [CopySpec("a", (stage, Stage("a: later", 2, Marking(marks, "later"), nbytes=1)))]
        watch = Watch(stop=True)
        with unless_refused(stops=True):
            self.run(engine, specs, progress=watch)
        check_that_nothing_runs(marks)
        for done, total, _ in watch.states:
            # Engines that tell nothing before the end have run all.
            assert done == total or "later 0" not in names(marks)
        assert len(watch.states) < 2, "the function was called again"

    def test_other_progress_is_refused_before_anything_runs(
        self, engine: Executor[Any], marks: Path
    ) -> None:
        specs = [CopySpec("a", (Stage("a: first", 3, Marking(marks, "first"), nbytes=3),))]
        for wrong in (3, "bar"):
            with pytest.raises(TypeError, match="progress"):
                self.run(engine, specs, progress=wrong)
        assert not names(marks)

    def test_progress_of_a_run_that_goes_on(self, engine: Executor[Any], tmp_path: Path) -> None:
        source = make(tmp_path / "s", (60, 50), (1, 50))
        plan = rechunker.rechunk(
            source, (60, 2), 3000, tmp_path / "t", temp_store=tmp_path / "temp", executor=engine
        )
        watch = Watch()
        with unless_refused(stops=True):
            plan.execute(progress=Watch(stop=True), **self.options)
        with unless_refused():
            target = plan.execute(resume=True, progress=watch, **self.options)
            watch.check(sum(stage.tasks for stage in plan.copy_plan[""].stages))
            np.testing.assert_array_equal(target[...], source[...])
