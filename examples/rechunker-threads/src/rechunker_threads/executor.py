"""An executor whose tasks run in threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from rechunker.running import batches
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds

__all__ = ["ThreadsExecutor"]

Plan = Sequence[Sequence[Stage]]
Report = Callable[[Traffic], object]

# Seconds that a thread pool takes over a call.
OVERHEAD = 2e-5


class ThreadsExecutor(Executor[Plan]):
    """Run several tasks at a time, in threads.

    Parameters
    ----------
    workers
        How many, each of which may hold `max_mem`; by default as many as there are processors.
    """

    shares_memory = True

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or os.cpu_count() or 1

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        """Return the stages of each round, as they are."""
        return rounds(specs)

    def execute_plan(self, plan: Plan, *, report: Report | None = None, **kwargs: Any) -> Traffic:
        """Run all rounds, one after another.

        Parameters
        ----------
        plan
            What `prepare_plan` returned.
        report
            Called with what has been done so far, time and again.
        """
        if kwargs:
            raise TypeError(f"execute() has report, but no {', '.join(kwargs)}")
        total = Traffic()
        with ThreadPoolExecutor(self.workers) as pool:
            try:
                for stages in plan:
                    calls = [
                        pool.submit(stage, tasks)
                        for stage in stages
                        for tasks in batches(stage, overhead=OVERHEAD, workers=self.workers)
                    ]
                    for call in as_completed(calls):  # all of them: this is the barrier
                        total += call.result()
                        if report is not None:
                            report(total)
            finally:
                pool.shutdown(cancel_futures=True)  # after a failure, nothing that waits is begun
        return total
