"""`SparkExecutor`, which runs tasks on a Spark cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import uuid4

from pyspark import SparkContext

from rechunker.running import BatchRunner, Progress, batches, refuse_keywords, reporter
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds

__all__ = ["SparkExecutor"]

Plan = Sequence[Sequence[Stage]]


class Parts:
    """Gathers the traffic of calls in an accumulator; a call that is run twice counts once."""

    def __init__(self, report: Callable[[Traffic], object], stop: Callable[[], object]) -> None:
        self.report, self.stop = report, stop
        self.error: BaseException | None = None

    def __reduce__(self) -> tuple[type, tuple[object, object]]:
        return Parts, (id, id)  # workers report nothing

    def zero(self, value: list[Traffic]) -> list[Traffic]:
        return []

    def addInPlace(self, total: list[Traffic], new: list[Traffic]) -> list[Traffic]:  # noqa: N802
        total += new
        try:
            for traffic in new if self.error is None else ():
                self.report(traffic)
        except BaseException as error:  # noqa: BLE001 - raised where the round is waited for
            self.error = error
            self.stop()
        return total


class SparkExecutor(Executor[Plan]):
    """Run each round as one job of the active Spark context; each task may hold `max_mem`."""

    returns_changes = True  # by adding up the traffic of all tasks
    overhead = 5e-3  # seconds of Spark per call, an estimate

    def __init__(self) -> None:
        self.workers = SparkContext.getOrCreate().defaultParallelism

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        """Return the stages of each round."""
        return rounds(specs)

    def execute_plan(
        self, plan: Plan, *, retries: int = 0, progress: Progress = None, **kwargs: Any
    ) -> Traffic:
        """Run the rounds one after another; after an error, cancel what runs, and wait for it."""
        refuse_keywords("spark", kwargs, ("retries", "progress"))
        context, runner = SparkContext.getOrCreate(), BatchRunner(retries)
        group = f"rechunker-{uuid4().hex}"
        with reporter(progress, plan) as report:
            parts = Parts(report, lambda: context.cancelJobGroup(group))
            done = context.accumulator([], parts)
            try:
                for stages in plan:
                    sent = context.broadcast(stages)  # once, not with each call
                    calls = [
                        (number, tasks)
                        for number, stage in enumerate(stages)
                        for tasks in batches(stage, overhead=self.overhead, workers=self.workers)
                    ]

                    def run(call: tuple[int, range], sent: Any = sent) -> None:
                        done.add([runner(sent.value[call[0]], call[1])])

                    context.setJobGroup(group, stages[0].name)
                    context.parallelize(calls, len(calls)).foreach(run)
                    if parts.error is not None:
                        raise parts.error
            except BaseException:
                context.cancelJobGroup(group)
                wait(context, group)
                if parts.error is not None:
                    raise parts.error from None
                raise
        return Traffic.total(done.value)


def wait(context: SparkContext, group: str) -> None:
    """Wait until no job of a group runs, nor a task: Spark counts these late while a job runs."""
    tracker = context.statusTracker()
    while True:
        jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group)]
        stages = [tracker.getStageInfo(stage) for job in jobs if job for stage in job.stageIds]
        running = any(job.status == "RUNNING" for job in jobs if job)
        if not running and not any(stage.numActiveTasks for stage in stages if stage):
            return
        time.sleep(0.05)
