"""The plan: a function of no arguments that runs all rounds on an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rechunker.running import check_numbers
from rechunker.types import Traffic
from rechunker_pywren.calls import Call, Engine

__all__ = ["Batches", "Plan"]


@dataclass(frozen=True)
class Batches:
    """A stage as workers get it, and the ranges of its tasks.

    Parameters
    ----------
    name
        Of the stage.
    stage
        The stage, pickled.
    ranges
        All tasks; there is one call for each range.
    """

    name: str
    stage: bytes
    ranges: tuple[range, ...]

    def calls(self, retries: int) -> Iterator[Call]:
        """Yield all calls."""
        return (Call(self.name, self.stage, tasks, retries) for tasks in self.ranges)


@dataclass(frozen=True)
class Plan:
    """Call it to run all rounds, one after another.

    Parameters
    ----------
    engine
        What runs the calls.
    rounds
        Stages that may run side by side; each round waits for the one before.
    retries
        How many times more a task is run after it has failed, unless the call says otherwise.
    """

    engine: Engine
    rounds: Sequence[Sequence[Batches]]
    retries: int = 0

    def __call__(self, retries: int | None = None) -> Traffic:
        """Run the plan and return what its tasks did.

        Raises
        ------
        ValueError
            If `retries` is negative.
        Exception
            That of a task, when it was tried often enough.
        """
        check_numbers(retries=retries)
        tries = self.retries if retries is None else retries
        if not self.rounds:
            return Traffic()
        with self.engine.start(tries) as run:
            return sum((_total(run(_calls(stages, tries))) for stages in self.rounds), Traffic())


def _calls(stages: Iterable[Batches], retries: int) -> list[Call]:
    return [call for stage in stages for call in stage.calls(retries)]


def _total(parts: Iterable[Traffic]) -> Traffic:
    return sum(parts, Traffic())
