"""What executors call where a batch of tasks runs: the tasks, tried again where they fail."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rechunker.types import Stage, Traffic

__all__ = ["BatchRunner", "available_cores", "check_numbers"]

# Before a task is tried again, and the longest that this grows to, doubled each time.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0

log = logging.getLogger("rechunker.running")


@dataclass(frozen=True)
class BatchRunner:
    """Runs some tasks of a stage, one after another; for engines that do not try tasks again.

    Engines that do would begin the whole batch anew, with all tasks of it that were done. Small,
    and to be pickled.

    Parameters
    ----------
    retries
        How many times more a task is run after it has failed, with a pause before each that grows
        from a tenth of a second to ten.
    home
        Number of the process whose memory the tasks share (`os.getpid`); None if they may run
        anywhere.

    Raises
    ------
    ValueError
        If `retries` is negative.

    Examples
    --------
    >>> stage = Stage("nothing", 3, lambda tasks: (Traffic(tasks=1) for _ in tasks))
    >>> BatchRunner(retries=2)(stage, range(1, 3)).tasks
    2
    """

    retries: int = 0
    home: int | None = None

    def __post_init__(self) -> None:
        check_numbers(retries=self.retries)

    def __call__(self, stage: Stage, tasks: range) -> Traffic:
        """Run tasks and return what they did; errors are those of `iterate`."""
        return sum(self.iterate(stage, tasks), Traffic())

    def iterate(self, stage: Stage, tasks: range) -> Iterator[Traffic]:
        """Run tasks and yield what each did as soon as it is done.

        Raises
        ------
        RuntimeError
            In any process but `home`.
        Exception
            That of a task, when it was tried often enough.
        """
        if self.home not in (None, os.getpid()):
            raise RuntimeError(
                "this plan was made to run in the process that made it, since its executor was "
                "set up so, and its stores may live there: plan anew with an executor whose "
                "tasks may run in other processes"
            )
        done = failures = 0
        while done < len(tasks):
            try:
                for traffic in stage.iterate(tasks[done:]):
                    done += 1
                    failures = 0
                    yield traffic
            except Exception as error:
                if failures == self.retries:
                    raise
                failures += 1
                log.warning("%s, task %s: %r; trying again", stage.name, tasks[done], error)
                time.sleep(min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE))


def check_numbers(
    *, retries: int | None = None, workers: int | None = None, threads: int | None = None
) -> None:
    """Check the numbers that executors are made with; None stands for one that is not given.

    Raises
    ------
    ValueError
        If `retries` is negative, or there is not one worker or thread.
    """
    if retries is not None and retries < 0:
        raise ValueError(f"retries={retries}: 0 is the least")
    for name, number in {"workers": workers, "threads": threads}.items():
        if number is not None and number < 1:
            raise ValueError(f"{name}={number}: at least one is needed")


def available_cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
