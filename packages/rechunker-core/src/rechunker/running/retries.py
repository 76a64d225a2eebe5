"""The batch runner: what executors call on a worker to run a batch of tasks, with retries."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

from rechunker.running.arguments import check_numbers
from rechunker.running.executions import Execution, StoppedError
from rechunker.types import Stage, Traffic

__all__ = ["BatchRunner"]

# Seconds to wait before the first retry; doubled for each further one, up to the longest.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0

log = logging.getLogger("rechunker.running")


@dataclass(frozen=True)
class BatchRunner:
    """Runs a batch of tasks of one stage, one after another, and retries single tasks.

    An engine that retries by itself would repeat the whole batch, with the tasks that were done.
    Small, and picklable.

    Parameters
    ----------
    retries
        Number of times to retry a failed task. The pause before a retry grows from a tenth of a
        second to ten seconds.
    home
        Id of the process (`os.getpid`) whose memory the tasks share; None if they may run
        anywhere.
    execution
        Execution of the plan: once it is stopped, no further task begins. None if the tasks belong
        to none, as in a plan that users run without `execute_plan`.

    Raises
    ------
    TypeError, ValueError
        If `retries` is not an integer of 0 or more.

    Examples
    --------
    >>> stage = Stage("nothing", 3, lambda tasks: (Traffic(tasks=1) for _ in tasks))
    >>> BatchRunner(retries=2)(stage, range(1, 3)).tasks
    2
    """

    retries: int = 0
    home: int | None = None
    execution: Execution | None = None

    def __post_init__(self) -> None:
        check_numbers(retries=self.retries)

    def __call__(self, stage: Stage, tasks: range) -> Traffic:
        """Run tasks and return their traffic; raises what `iterate` raises."""
        with nullcontext() if self.execution is None else self.execution.running():
            return Traffic.total(self.iterate(stage, tasks))

    def iterate(self, stage: Stage, tasks: range) -> Generator[Traffic, None, None]:
        """Run tasks, and yield the traffic of each as soon as it is done.

        Raises
        ------
        RuntimeError
            If this is not the process `home`.
        StoppedError
            If the execution was stopped in this process.
        Exception
            The error of a task that has failed more than `retries` times.
        """
        if self.home not in (None, os.getpid()):
            raise RuntimeError(
                "this plan runs only in the process that made it, because its executor shares the "
                "memory of that process; plan again with an executor whose tasks may run in other "
                "processes"
            )
        done = failures = 0
        while done < len(tasks):
            others = sys.exc_info()[1]  # what the caller deals with at the moment
            try:
                self._check()
                for traffic in stage.iterate(tasks[done:]):
                    done += 1
                    if failures:
                        traffic += Traffic(retries=failures).of_stage(stage.name)
                    failures = 0
                    yield traffic
                    if done < len(tasks):
                        self._check()
            except StoppedError:
                raise
            except Exception as error:
                if failures == self.retries:
                    raise
                failures += 1
                log.warning("%s, task %s: %r; retrying", stage.name, tasks[done], error)
                _free_memory(error, others)
                self._pause(min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE))

    def _check(self) -> None:
        if self.execution is not None:
            self.execution.check()

    def _pause(self, seconds: float) -> None:
        if self.execution is None:
            time.sleep(seconds)
        else:
            self.execution.pause(seconds)


def _free_memory(error: BaseException, others: BaseException | None) -> None:
    """Free what the calls hold that an error has ended, such as the box of the task.

    The traceback refers to them. Who has the error may keep it, like a handler of logs; and where
    one of the calls has it (as in zarr.core.sync, zarr 3.4.2), nothing would be freed before the
    next collection of garbage.

    Parameters
    ----------
    error
        The error of a task.
    others
        Error at whose handling the task was run, whose tracebacks remain.
    """
    known = {id(one) for one in _chain(others)}
    for one in _chain(error):
        if id(one) not in known:
            one.__traceback__ = None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, its cause, what was dealt with when it was raised, and so on."""
    left, known = [error], set[int]()
    while left:
        one = left.pop()
        if one is not None and id(one) not in known:
            known.add(id(one))
            yield one
            left += (one.__cause__, one.__context__)
