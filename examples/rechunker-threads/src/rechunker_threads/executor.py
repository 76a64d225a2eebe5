"""`ThreadsExecutor`, which runs several tasks at a time in threads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from rechunker import running
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds

__all__ = ["ThreadsExecutor"]

Plan = Sequence[Sequence[Stage]]


class ThreadsExecutor(Executor[Plan]):
    """Run several tasks at a time, in threads of this process; each may hold `max_mem`.

    Parameters
    ----------
    workers
        Number of tasks that run at a time; by default the number of cores.
    """

    shares_memory = True  # all tasks run in this process
    overhead = 2e-5  # seconds of a thread pool per call

    def __init__(self, workers: int | None = None) -> None:
        running.check_numbers(workers=workers)
        self.workers = workers or running.available_cores()

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        """Return the stages of each round; run and write nothing."""
        return rounds(specs)

    def execute_plan(
        self, plan: Plan, *, retries: int = 0, progress: running.Progress = None, **kwargs: Any
    ) -> Traffic:
        """Run all rounds, one after another, and return the traffic of all tasks."""
        running.refuse_keywords("threads", kwargs, ("retries", "progress"))
        execution, done = running.Execution(), list[Traffic]()
        runner = running.BatchRunner(retries, execution=execution)
        # Your engine: change the lines from here to the end, and the two attributes above. After an
        # error or Ctrl-C, no more tasks begin, and those that run are waited for.
        with (
            running.reporter(progress, plan) as report,
            ThreadPoolExecutor(self.workers) as pool,
            execution.ended(),
        ):
            for stages in plan:
                calls = [
                    pool.submit(runner, stage, tasks)
                    for stage in stages
                    for tasks in running.batches(
                        stage, overhead=self.overhead, workers=self.workers
                    )
                ]
                for call in as_completed(calls):  # waits for all calls: this is the barrier
                    done.append(call.result())
                    report(done[-1])
        return Traffic.total(done)
