"""`ThreadsExecutor`, which runs several tasks at a time in threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from rechunker.running import (
    BatchRunner,
    Execution,
    Progress,
    available_cores,
    batches,
    refuse_keywords,
    reporter,
)
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds

__all__ = ["ThreadsExecutor"]

Plan = Sequence[Sequence[Stage]]


class ThreadsExecutor(Executor[Plan]):
    """Run several tasks at a time, in threads of this process.

    Parameters
    ----------
    workers
        Number of tasks that run at a time; each may hold `max_mem`. By default the number of
        processors.
    """

    shares_memory = True
    overhead = 2e-5  # seconds of a thread pool per call

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or available_cores()

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        """Return the stages of each round.

        Parameters
        ----------
        specs
            Copy specs of the plan.
        """
        return rounds(specs)

    def execute_plan(self, plan: Plan, *, progress: Progress = None, **kwargs: Any) -> Traffic:
        """Run all rounds, one after another, and return the traffic of all tasks.

        Parameters
        ----------
        plan
            Plan that `prepare_plan` returned.
        progress
            True for a progress bar, or a function that is called with the number of tasks done, the
            number of all tasks, and the bytes read and written so far, whenever some are done.

        Raises
        ------
        TypeError
            If there are other keyword arguments, or `progress` is not a boolean or a function.
        ImportError
            If `progress` is True and tqdm is not installed.
        Exception
            The error of a task that failed.
        """
        refuse_keywords("threads", kwargs, ("progress",))
        execution = Execution()
        runner = BatchRunner(execution=execution)
        total = Traffic()
        # After an error or Ctrl-C, no more tasks begin, and those that run are waited for.
        with (
            reporter(progress, plan) as report,
            ThreadPoolExecutor(self.workers) as pool,
            execution.ended(),
        ):
            for stages in plan:
                calls = [
                    pool.submit(runner, stage, tasks)
                    for stage in stages
                    for tasks in batches(stage, overhead=self.overhead, workers=self.workers)
                ]
                for call in as_completed(calls):  # waits for all calls: this is the barrier
                    done = call.result()
                    total += done
                    report(done)
        return total
