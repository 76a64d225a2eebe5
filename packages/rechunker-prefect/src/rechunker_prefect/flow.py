"""The Prefect flow of a plan: it runs the rounds in order, a few task runs at a time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from queue import SimpleQueue
from typing import Any

from prefect import Flow
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner

from rechunker.running import BatchRunner, Execution
from rechunker.types import Stage, Traffic
from rechunker_prefect.bundles import Bundle, bundles
from rechunker_prefect.progress import Progress
from rechunker_prefect.tasks import Job, run_job

__all__ = ["RechunkFlow", "build"]

Future = PrefectFuture[tuple[Traffic, ...]]


class RechunkFlow(Flow[..., Traffic]):
    """A plan as a flow, which knows its stages.

    Attributes
    ----------
    rounds
        Rounds in order, each a sequence of stages.
    """

    rounds: Sequence[Sequence[Stage]] = ()


def build(
    rounds: Sequence[Sequence[Stage]],
    runner: BatchRunner,
    *,
    workers: int,
    task_runner: TaskRunner[Any],
    title: str,
) -> RechunkFlow:
    """Return a plan as a flow whose result is the traffic of all tasks.

    Parameters
    ----------
    rounds
        Rounds in order, each a sequence of stages that may run side by side. A round starts when
        all tasks of the previous round are done.
    runner
        Runs the batches, and retries failed tasks; the flow's parameter `retries` overrides its
        number of retries.
    workers
        Maximum number of task runs that are active at a time, with any task runner.
    task_runner
        Task runner of the flow.
    title
        Name of the flow run.
    """
    work = tuple(bundles(stages, workers) for stages in rounds)

    def rechunk(retries: int = runner.retries) -> Traffic:
        progress = Progress(work)
        execution = Execution()
        chosen = replace(runner, retries=retries, execution=execution)
        for together in work:
            Window(chosen, execution, workers, progress).run(together)
        progress.finish()
        return progress.traffic

    flow = RechunkFlow(
        rechunk,
        name="rechunk",
        description="Change the chunks of Zarr arrays from one shape to another.",
        flow_run_name=literal(title),
        task_runner=task_runner,
        persist_result=False,
        validate_parameters=False,
    )
    flow.rounds = rounds
    return flow


def literal(name: str) -> str:
    """Return a Prefect name template for a name: braces are doubled."""
    return name.replace("{", "{{").replace("}", "}}")


@dataclass(frozen=True)
class Window:
    """Runs bundles, at most `workers` at a time, and starts the next one when one is done.

    A task runner may run all submitted bundles at once, which would exceed the memory limit. And
    after a failure, no submitted bundle has to be cancelled.

    Parameters
    ----------
    runner
        Runs the batches, and retries failed tasks.
    execution
        The execution that the batches belong to.
    workers
        Maximum number of bundles that run at a time.
    progress
        Receives the traffic of each bundle that is done.
    """

    runner: BatchRunner
    execution: Execution
    workers: int
    progress: Progress

    def run(self, every: Sequence[Bundle]) -> None:
        """Run bundles, and return or raise only when none of them is running.

        Parameters
        ----------
        every
            The bundles of a round.

        Raises
        ------
        Exception
            The error of the first task that failed. Bundles that have not started are not run.
        """
        done: SimpleQueue[tuple[Bundle, Future]] = SimpleQueue()
        begun: list[Future] = []
        waiting = iter(every)

        def begin(bundle: Bundle) -> None:
            named = run_job.with_options(name=bundle.stage, task_run_name=literal(bundle.name))
            begun.append(named.submit(Job(bundle, self.runner)))
            begun[-1].add_done_callback(lambda future: done.put((bundle, future)))

        try:
            for bundle in islice(waiting, self.workers):
                begin(bundle)
            for _ in every:
                bundle, future = done.get()
                did = future.result()
                for following in islice(waiting, 1):
                    begin(following)
                self.progress.add(bundle, did)
        except BaseException:
            self.execution.end()  # threads of this process do not go on to their next task
            raise
        finally:
            # Not by counting: a time limit or Control-C may raise its error between any two steps.
            for future in begun:
                with suppress(Exception):  # the error that is on its way says more
                    future.wait()
