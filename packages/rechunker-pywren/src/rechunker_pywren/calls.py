"""What the engines run: calls of one function, each on a range of the tasks of a stage."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from rechunker.running import BatchRunner
from rechunker.types import Stage, Traffic

__all__ = ["Arguments", "Call", "Engine", "LostWorkerError", "Run", "in_parts", "run_batch"]

# Pywren and lithops refuse to take more than 4 MiB at a time.
PART_BYTES = 2**21

Arguments = tuple[bytes, int, int, int]


class LostWorkerError(RuntimeError):
    """A process that ran tasks has ended before they were done."""


@dataclass(frozen=True)
class Call:
    """Some tasks of a stage, to be run one after another.

    Parameters
    ----------
    name
        Of the stage, for people.
    stage
        The stage, pickled; all calls of a stage share these bytes.
    tasks
        Which tasks.
    retries
        How many times more a task is run after it has failed.
    """

    name: str
    stage: bytes
    tasks: range
    retries: int

    def __str__(self) -> str:
        return f"{self.name}, tasks {self.tasks.start} to {self.tasks.stop - 1}"

    @property
    def arguments(self) -> Arguments:
        """What `run_batch` is called with."""
        return self.stage, self.tasks.start, self.tasks.stop, self.retries


# Runs calls, all of them to their end, and yields what each did, in any order; raises the error of
# the first one that is found to have failed.
Run = Callable[[Sequence[Call]], Iterable[Traffic]]


class Engine(Protocol):
    """Something that runs calls."""

    def split(self, stage: Stage, workers: int) -> tuple[range, ...]:
        """Return the tasks of a stage in ranges that are worth a call each.

        Parameters
        ----------
        stage
            The stage.
        workers
            How many calls are expected to run at a time.
        """

    def start(self, retries: int) -> AbstractContextManager[Run]:
        """Make the engine ready, for as long as the context lasts.

        Parameters
        ----------
        retries
            How many times more a call is run when the process that ran it is lost, if the engine
            can tell.
        """


def run_batch(stage: bytes, start: int, stop: int, retries: int) -> Traffic:
    """Run some tasks of a stage, one after another; this is the function that is mapped.

    Parameters
    ----------
    stage
        A pickled stage.
    start, stop
        The first of the tasks, and the one after the last.
    retries
        How many times more a task is run after it has failed.

    Raises
    ------
    RuntimeError
        If a task ends with something that is not an `Exception`, which no engine hands on.
    """
    try:
        return BatchRunner(retries)(pickle.loads(stage), range(start, stop))
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(f"a task was ended by {error!r}") from error


def in_parts(calls: Iterable[Call]) -> Iterator[list[Call]]:
    """Yield calls in lists, each of which is small enough to be handed over at once."""
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
