"""`RayExecutor`, which runs tasks on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import ray

from rechunker.running import BatchRunner, Progress, batches, refuse_keywords, reporter
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds

__all__ = ["RayExecutor"]

Plan = Sequence[Sequence[Stage]]


class RayExecutor(Executor[Plan]):
    """Run tasks on the cluster that `ray.init` has connected to; each may hold `max_mem`.

    Parameters
    ----------
    **options
        Options of the remote function, such as ``memory=2e9``, ``num_cpus=2`` or ``max_retries=0``.
    """

    returns_changes = True  # by adding up the traffic of all tasks
    overhead = 2e-3  # seconds of Ray per call, an estimate

    def __init__(self, **options: Any) -> None:
        self.options = {"num_cpus": 1, **options}
        self.workers = max(1, int(ray.cluster_resources()["CPU"] / self.options["num_cpus"]))

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        """Return the stages of each round."""
        return rounds(specs)

    def execute_plan(
        self, plan: Plan, *, retries: int = 0, progress: Progress = None, **kwargs: Any
    ) -> Traffic:
        """Run the rounds one after another; after an error, cancel what runs and wait for it."""
        refuse_keywords("ray", kwargs, ("retries", "progress"))
        runner, done = BatchRunner(retries), []
        call = ray.remote(**self.options)(lambda stage, tasks: runner(stage, tasks))
        with reporter(progress, plan) as report:
            for stages in plan:
                waiting: list[Any] = []
                try:
                    for stage in stages:
                        sent = ray.put(stage)  # once, not with each call
                        for tasks in batches(stage, overhead=self.overhead, workers=self.workers):
                            waiting.append(call.remote(sent, tasks))
                    while waiting:
                        ready, waiting = ray.wait(waiting)
                        done += ray.get(ready)
                        report(done[-1])
                except BaseException:
                    for reference in waiting:
                        ray.cancel(reference, force=True)  # or one may have just begun
                    if waiting:
                        ray.wait(waiting, num_returns=len(waiting))
                    raise
        return Traffic.total(done)
