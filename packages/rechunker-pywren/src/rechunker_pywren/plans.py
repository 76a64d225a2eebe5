"""`Plan`, a callable object that runs all rounds of a plan on an engine."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from rechunker.running import Progress, Reporter, check_numbers, reporter
from rechunker.types import Traffic
from rechunker_pywren.calls import Call, Engine

__all__ = ["Batches", "Plan"]


@dataclass(frozen=True)
class Batches:
    """A pickled stage and its batches of tasks.

    Parameters
    ----------
    name
        Name of the stage.
    stage
        The pickled stage.
    ranges
        Numbers of the tasks of each batch; together all tasks of the stage. One call runs one
        batch.
    nbytes
        Decoded bytes that all tasks together read and write.
    """

    name: str
    stage: bytes
    ranges: tuple[range, ...]
    nbytes: int = 0

    def __len__(self) -> int:
        return sum(map(len, self.ranges))

    def calls(self, retries: int) -> Iterator[Call]:
        """Return an iterator over the calls, one for each batch.

        Parameters
        ----------
        retries
            Number of times to retry a failed task.
        """
        return (Call(self.name, self.stage, tasks, retries) for tasks in self.ranges)


@dataclass(frozen=True)
class Plan:
    """A plan that runs all rounds, one after another, when it is called.

    Parameters
    ----------
    engine
        Runs the calls.
    rounds
        Rounds in order, each a sequence of stages that may run side by side. A round starts when
        all tasks of the previous round are done.
    retries
        Number of times to retry a failed task, unless `__call__` is given another number.
    """

    engine: Engine
    rounds: Sequence[Sequence[Batches]]
    retries: int = 0

    def __call__(self, retries: int | None = None, progress: Progress = None) -> Traffic:
        """Run the plan and return the traffic of all its tasks.

        Parameters
        ----------
        retries
            Number of times to retry a failed task; by default the plan's.
        progress
            As for `PywrenExecutor.execute_plan`.

        Raises
        ------
        ValueError
            If `retries` is negative.
        LostWorkerError
            If a worker process of a local executor has died, or a function executor has lost calls.
        Exception
            The error of a task that failed after all its retries.
        """
        check_numbers(retries=retries)
        tries = self.retries if retries is None else retries
        with reporter(progress, self.rounds) as report:
            if not self.rounds:
                return Traffic()
            with self.engine.start(tries) as run:
                rounds = (_calls(stages, tries) for stages in self.rounds)
                return Traffic.total(_total(run(calls), report) for calls in rounds)


def _calls(stages: Iterable[Batches], retries: int) -> list[Call]:
    return [call for stage in stages for call in stage.calls(retries)]


def _total(parts: Generator[Traffic, None, None], report: Reporter) -> Traffic:
    with closing(parts):  # an interrupt may come between two of them
        return Traffic.total(_reported(parts, report))


def _reported(parts: Iterable[Traffic], report: Reporter) -> Iterator[Traffic]:
    for traffic in parts:
        report(traffic)
        yield traffic
