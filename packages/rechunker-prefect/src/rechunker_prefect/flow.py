"""The flow that a plan is: rounds one after another, a few task runs at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue
from typing import Any

from prefect import Flow
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner

from rechunker.running import BatchRunner
from rechunker.types import Stage, Traffic
from rechunker_prefect.bundles import Bundle, bundles
from rechunker_prefect.progress import Progress
from rechunker_prefect.tasks import Job, run_job

__all__ = ["RechunkFlow", "build"]

RechunkFlow = Flow[..., Traffic]
Future = PrefectFuture[tuple[Traffic, ...]]


def build(
    rounds: Sequence[Sequence[Stage]],
    runner: BatchRunner,
    *,
    workers: int,
    task_runner: TaskRunner[Any],
    title: str,
) -> RechunkFlow:
    """Return a plan as a flow, whose result is the traffic of all tasks.

    Parameters
    ----------
    rounds
        Stages that may run side by side; each round waits for the one before.
    runner
        What holds for all tasks, unless the flow is called with other `retries`.
    workers
        How many task runs there are at a time, whatever runs them.
    task_runner
        Runs them.
    title
        Name of the flow run.
    """
    work = tuple(bundles(stages, workers) for stages in rounds)

    def rechunk(retries: int = runner.retries) -> Traffic:
        progress = Progress(work)
        chosen = BatchRunner(retries, runner.home)
        for together in work:
            Window(chosen, workers, progress).run(together)
        progress.finish()
        return progress.traffic

    return Flow(
        rechunk,
        name="rechunk",
        description="Turns the chunks of Zarr arrays from one shape into another.",
        flow_run_name=literal(title),
        task_runner=task_runner,
        persist_result=False,
        validate_parameters=False,
    )


def literal(name: str) -> str:
    """Return a template that stands for a name, which may have braces."""
    return name.replace("{", "{{").replace("}", "}}")


@dataclass(frozen=True)
class Window:
    """Has a few bundles run at a time, and begins the next one when one is done.

    That memory stays within its bound is seen to here, since task runners may run all that they
    are given at once. And after a failure there is nothing to be taken back.

    Parameters
    ----------
    runner
        Runs the tasks.
    workers
        How many bundles are run at a time.
    progress
        Is told of each bundle that is done.
    """

    runner: BatchRunner
    workers: int
    progress: Progress

    def run(self, every: Sequence[Bundle]) -> None:
        """Run bundles; when it ends, in whatever way, none of them is running.

        Raises
        ------
        Exception
            That of the first task that failed. Bundles that were not begun are not run then.
        """
        done: SimpleQueue[tuple[Bundle, Future]] = SimpleQueue()
        waiting = iter(every)
        running = 0
        try:
            for bundle in islice(waiting, self.workers):
                self._begin(bundle, done)
                running += 1
            while running:
                bundle, future = done.get()
                running -= 1
                did = future.result()
                for following in islice(waiting, 1):
                    self._begin(following, done)
                    running += 1
                self.progress.add(bundle, did)
        finally:
            for _ in range(running):
                done.get()

    def _begin(self, bundle: Bundle, done: SimpleQueue[tuple[Bundle, Future]]) -> None:
        named = run_job.with_options(name=bundle.stage, task_run_name=literal(bundle.name))
        future = named.submit(Job(bundle, self.runner))
        future.add_done_callback(lambda future: done.put((bundle, future)))
