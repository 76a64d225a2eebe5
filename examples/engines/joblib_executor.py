"""`JoblibExecutor`, which runs tasks in the processes or threads of joblib."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import joblib

from rechunker.running import BatchRunner, Execution, Progress, batches, refuse_keywords, reporter
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds

__all__ = ["JoblibExecutor"]

Plan = Sequence[Sequence[Stage]]


class JoblibExecutor(Executor[Plan]):
    """Run several tasks at a time with joblib; each may hold `max_mem`.

    Parameters
    ----------
    backend
        Backend of joblib: "loky" for processes, "threading" for threads.
    workers
        Number of tasks that run at a time; by default the number of cores.
    """

    returns_changes = True  # by adding up the traffic of all tasks
    overhead = 1e-3  # seconds of joblib per call, an estimate

    def __init__(self, backend: str = "loky", workers: int | None = None) -> None:
        self.backend = backend
        self.shares_memory = backend == "threading"
        self.workers = workers or joblib.cpu_count()

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        """Return the stages of each round."""
        return rounds(specs)

    def execute_plan(
        self, plan: Plan, *, retries: int = 0, progress: Progress = None, **kwargs: Any
    ) -> Traffic:
        """Run the rounds one after another, and return the traffic of all tasks."""
        refuse_keywords("joblib", kwargs, ("retries", "progress"))
        execution, done = Execution(), list[Traffic]()
        runner = BatchRunner(retries, execution=execution)
        # After an error, joblib kills its processes. Threads are waited for.
        with reporter(progress, plan) as report, execution.ended():
            for stages in plan:
                calls = [
                    joblib.delayed(runner)(stage, tasks)
                    for stage in stages
                    for tasks in batches(stage, overhead=self.overhead, workers=self.workers)
                ]
                run = joblib.Parallel(
                    self.workers,
                    backend=self.backend,
                    batch_size=1,
                    return_as="generator_unordered",
                )
                parts = run(calls)
                try:
                    for traffic in parts:  # until all calls have ended: this is the barrier
                        done.append(traffic)
                        report(traffic)
                finally:
                    with warnings.catch_warnings(action="ignore"):  # it warns of cancelled calls
                        parts.close()
        return Traffic.total(done)
