"""Calls, the unit of work of all engines: one call runs one batch of tasks."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from rechunker.running import BatchRunner
from rechunker.types import Stage, Traffic

__all__ = [
    "Arguments",
    "Call",
    "Engine",
    "LostWorkerError",
    "Run",
    "in_parts",
    "run_batch",
    "try_batch",
]

# Bytes of pickled stages in one `map`: half of the 4 MiB that pywren and lithops accept at most.
PART_BYTES = 2**21

Arguments = tuple[bytes, int, int, int]


class LostWorkerError(RuntimeError):
    """A process that ran tasks has died before they were done."""


@dataclass(frozen=True)
class Call:
    """Some tasks of a stage that one function call runs, one after another.

    Parameters
    ----------
    name
        Name of the stage, for messages.
    stage
        The pickled stage. All calls of a stage share these bytes.
    tasks
        Numbers of the tasks.
    retries
        Number of times to retry a failed task.
    """

    name: str
    stage: bytes
    tasks: range
    retries: int

    def __str__(self) -> str:
        return f"{self.name}, tasks {self.tasks.start} to {self.tasks.stop - 1}"

    @property
    def arguments(self) -> Arguments:
        """Arguments of `run_batch`."""
        return self.stage, self.tasks.start, self.tasks.stop, self.retries


# Function that runs all calls to their end and yields the traffic of each, in any order. It raises
# the error of the first call that it finds to have failed. Once it has ended or is closed, and its
# engine has ended, no call runs.
Run = Callable[[Sequence[Call]], Generator[Traffic, None, None]]


class Engine(Protocol):
    """Protocol of the classes that run calls."""

    def split(self, stage: Stage, workers: int) -> tuple[range, ...]:
        """Split the tasks of a stage into batches, each for one call.

        Parameters
        ----------
        stage
            The stage.
        workers
            Number of calls that are expected to run at a time.
        """

    def start(self, retries: int) -> AbstractContextManager[Run]:
        """Start the engine; the context yields a function that runs calls, and ends the engine.

        Parameters
        ----------
        retries
            Number of times to run a call again when the process that ran it has died, with engines
            that can do this.
        """


def run_batch(stage: bytes, start: int, stop: int, retries: int) -> Traffic:
    """Run a batch of tasks on a worker; this is the function that engines map over arguments.

    Parameters
    ----------
    stage
        A pickled stage.
    start
        Number of the first task.
    stop
        Number of the task after the last.
    retries
        Number of times to retry a failed task.

    Returns
    -------
    Traffic
        Traffic of these tasks.

    Raises
    ------
    RuntimeError
        If a task raises a `BaseException` that is not an `Exception`: no engine passes it on.
    Exception
        The error of a task that failed after all its retries.
    """
    try:
        return BatchRunner(retries)(pickle.loads(stage), range(start, stop))
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(
            f"a task raised {error!r}, which is not an Exception and would end the worker; raise "
            "an Exception instead"
        ) from error


def try_batch(stage: bytes, start: int, stop: int, retries: int) -> Traffic | Exception:
    """Run a batch of tasks on a worker, and return its error instead of raising it.

    Engines that raise the first error do not tell when the other calls have ended.

    Parameters
    ----------
    stage, start, stop, retries
        As for `run_batch`.

    Returns
    -------
    Traffic or Exception
        Traffic of these tasks, or the error of one that failed, with its traceback as a note.
    """
    try:
        return run_batch(stage, start, stop, retries)
    except Exception as error:  # noqa: BLE001, the caller raises it
        error.add_note(f"In a worker:\n{traceback.format_exc()}")
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # noqa: BLE001, whatever such an error does when it is made again
            return RuntimeError(f"{type(error).__name__}: {error}")
        return error


def in_parts(calls: Iterable[Call]) -> Iterator[list[Call]]:
    """Yield calls in lists that are small enough for one `map`.

    Parameters
    ----------
    calls
        The calls, in order.
    """
    part: list[Call] = []
    nbytes = 0
    for call in calls:
        nbytes += len(call.stage)
        if part and nbytes > PART_BYTES:
            yield part
            part, nbytes = [], len(call.stage)
        part.append(call)
    if part:
        yield part
