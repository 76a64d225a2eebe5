"""`ThreadsExecutor`, which runs several tasks at a time in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from rechunker.running import (
    BatchRunner,
    Execution,
    available_cores,
    batches,
    refuse_keywords,
)
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds

__all__ = ["ThreadsExecutor"]

Plan = Sequence[Sequence[Stage]]
Report = Callable[[Traffic], object]


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

    def execute_plan(self, plan: Plan, *, report: Report | None = None, **kwargs: Any) -> Traffic:
        """Run all rounds, one after another, and return the traffic of all tasks.

        Parameters
        ----------
        plan
            Plan that `prepare_plan` returned.
        report
            Function that is called with the traffic so far, whenever some tasks are done.

        Raises
        ------
        TypeError
            If there are other keyword arguments.
        Exception
            The error of a task that failed.
        """
        refuse_keywords("threads", kwargs, ("report",))
        execution = Execution()
        runner = BatchRunner(execution=execution)
        total = Traffic()
        # After an error or Ctrl-C, no more tasks begin, and those that run are waited for.
        with ThreadPoolExecutor(self.workers) as pool, execution.ended():
            for stages in plan:
                calls = [
                    pool.submit(runner, stage, tasks)
                    for stage in stages
                    for tasks in batches(stage, overhead=self.overhead, workers=self.workers)
                ]
                for call in as_completed(calls):  # waits for all calls: this is the barrier
                    total += call.result()
                    if report is not None:
                        report(total)
        return total
