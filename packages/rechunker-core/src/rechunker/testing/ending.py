"""`EndingTests`: nothing of a plan runs once `execute_plan` has returned or raised."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from rechunker.testing.engine import LARGE, EngineTests, names
from rechunker.testing.work import Lasting, Marking
from rechunker.types import CopySpec, Executor, Stage

__all__ = ["EndingTests"]

# Seconds that a task takes which runs beside one that fails.
TASK_SECONDS = 0.5


def check_that_nothing_runs(folder: Path) -> None:
    """Check that no task leaves a file any more."""
    before = names(folder)
    time.sleep(TASK_SECONDS + 0.1)
    assert names(folder) == before, "tasks began or ended after execute_plan()"


def interrupt(call: Callable[[], object], folder: Path) -> None:
    """Call a function, interrupt it like Ctrl-C when a task has begun, and expect an error."""
    ended = threading.Event()

    def wait_and_signal() -> None:
        while not names(folder):
            if ended.wait(0.01):
                return
        send()

    def send() -> None:
        if not ended.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def handle(number: int, frame: FrameType | None) -> None:
        if _is_destructor(frame):
            threading.Timer(0.01, send).start()  # Python drops what a destructor raises
        else:
            signal.default_int_handler(number, frame)

    # Programs that a shell starts in the background ignore the signal.
    handler = signal.signal(signal.SIGINT, handle)
    watch = threading.Thread(target=wait_and_signal)
    watch.start()
    try:
        with pytest.raises(BaseException):  # noqa: B017, PT011, engines may raise errors of their own
            call()
    finally:
        ended.set()
        watch.join()
        signal.signal(signal.SIGINT, handler)


def _is_destructor(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_name != "__del__":
        frame = frame.f_back
    return frame is not None


class EndingTests(EngineTests):
    """Test suite for engines with other workers than those that `ExecutorTests` is run with.

    It is a part of `rechunker.testing.ExecutorTests`, and has the same attributes and fixtures. It
    needs POSIX, as it sends signals.
    """

    def test_nothing_runs_after_a_failure(self, engine: Executor[Any], marks: Path) -> None:
        # The failing task waits for another one, if that can run at the same time.
        patience = 5.0 if engine.workers > 1 else 0.0
        work = Lasting(marks, TASK_SECONDS, failing=1, patience=patience)
        stages = (Stage("a: last", 12, work, nbytes=LARGE), Stage("a", 1, Marking(marks, "later")))
        with pytest.raises(Exception, match="task 1 fails on purpose"):
            self.run(engine, [CopySpec("a", stages)])
        check_that_nothing_runs(marks)
        assert "later 0" not in names(marks)

    def test_nothing_runs_after_an_interrupt(self, engine: Executor[Any], marks: Path) -> None:
        stage = Stage("a: last", 60, Lasting(marks, 0.2), nbytes=LARGE)
        plan = engine.prepare_plan([CopySpec("a", (stage,))])
        interrupt(lambda: engine.execute_plan(plan, **self.options), marks)
        check_that_nothing_runs(marks)
        assert len(list(marks.glob("begin *"))) < stage.tasks, "waiting tasks must be cancelled"
