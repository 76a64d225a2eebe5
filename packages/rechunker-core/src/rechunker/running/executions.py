"""Executions: the batches that run in this process, so that an executor can end them all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

__all__ = ["Execution", "StoppedError"]

# Seconds between two looks at the batches that an event loop waits for.
PAUSE_SECONDS = 0.02

# Batches that run in this process, by the key of their execution; keys of stopped executions.
_running: Counter[str] = Counter()
_stopped: set[str] = set()
_changed = threading.Condition()


class StoppedError(RuntimeError):
    """A task was not run, because the execution that it belongs to has ended."""


@dataclass(frozen=True)
class Execution:
    """One execution of a plan; small, and picklable.

    Each process knows the batches of the execution that run in it, and whether it was stopped
    *there*. Stop an execution in all processes that may run its tasks.

    Parameters
    ----------
    key
        Random name.

    Examples
    --------
    >>> execution = Execution()
    >>> with execution.running():
    ...     execution.is_running
    True
    >>> execution.end()
    >>> execution.check()
    Traceback (most recent call last):
    rechunker.running.executions.StoppedError: this execution of the plan has ended
    """

    key: str = field(default_factory=lambda: uuid4().hex)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count a batch as running in this process within the context.

        Raises
        ------
        StoppedError
            If the execution was stopped in this process.
        """
        counted = False
        try:
            with _changed:
                self.check()
                _running[self.key] += 1
                counted = True
            yield
        finally:
            if counted:
                with _changed:
                    _running[self.key] -= 1
                    if not _running[self.key]:
                        del _running[self.key]
                    _changed.notify_all()

    @property
    def is_running(self) -> bool:
        """Whether batches of the execution run in this process."""
        return self.key in _running

    @property
    def is_stopped(self) -> bool:
        """Whether the execution was stopped in this process."""
        return self.key in _stopped

    def check(self) -> None:
        """Raise a `StoppedError` if the execution was stopped in this process."""
        if self.is_stopped:
            raise StoppedError("this execution of the plan has ended")

    def pause(self, seconds: float) -> None:
        """Sleep, unless the execution is stopped in the meantime."""
        until = time.monotonic() + seconds
        with _changed:
            while self.key not in _stopped and (left := until - time.monotonic()) > 0:
                _changed.wait(left)

    def stop(self) -> None:
        """Let no further task begin in this process, now and later."""
        with _changed:
            _stopped.add(self.key)
            _changed.notify_all()

    def end(self) -> None:
        """Let no further task begin in this process, and wait for those that run."""
        self.stop()
        with _changed:
            _changed.wait_for(lambda: not self.is_running)

    async def end_in_loop(self) -> None:
        """Do the same as `end` without blocking an event loop."""
        self.stop()
        while self.is_running:
            await asyncio.sleep(PAUSE_SECONDS)

    @contextmanager
    def ended(self) -> Iterator[None]:
        """End the execution in this process if an error leaves the context."""
        try:
            yield
        except BaseException:
            self.end()
            raise
