"""`BeamExecutor`, whose plans are Beam transforms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam

from rechunker.running import (
    BatchRunner,
    Execution,
    Progress,
    available_cores,
    check_numbers,
    refuse_keywords,
    reporter,
)
from rechunker.types import CopySpec, Executor, Traffic, rounds
from rechunker_beam import dask_runner
from rechunker_beam.progress import listening
from rechunker_beam.results import await_result, explained
from rechunker_beam.settings import (
    Options,
    Runner,
    choose_runner,
    count_workers,
    is_local,
    make_options,
)
from rechunker_beam.transform import BATCH_SECONDS, RechunkTransform

__all__ = ["BeamExecutor"]


class BeamExecutor(Executor[RechunkTransform]):
    """Run tasks with Apache Beam: in this process, or with any Beam runner.

    A plan is one `apache_beam.PTransform`. It can also be applied to a pipeline without
    `execute_plan`: ``pipeline | rechunked.plan`` does the same work.

    Parameters
    ----------
    runner
        Runner of the pipelines: a name or a `PipelineRunner`, as `apache_beam.Pipeline` takes it.
        By default the runner named in `options`, or else "FnApiRunner", Beam's runner for one
        machine, which runs one batch at a time in this process.
    options
        Options of the pipelines: Beam's `PipelineOptions`, a mapping
        (``{"direct_running_mode": "multi_processing", "direct_num_workers": 2}``), or a list of
        flags. Command line arguments of this process are ignored.
    retries
        Number of times to retry a failed task. Works with every runner.
    workers
        Number of tasks that are expected to run at a time; *each* may hold `max_mem`. By default
        taken from the options: ``direct_num_workers`` with a runner for one machine, otherwise
        ``max_num_workers`` or ``num_workers``; 1 if these are not set.
    threads
        Maximum number of reads or writes that one task has in flight. By default the number of
        cores divided by `workers` with a runner for one machine, and 1 with other runners.

    Raises
    ------
    TypeError
        If `runner` is neither a name nor a `PipelineRunner`, or `options` are none of the above.
    ValueError
        If `retries` is negative, or `workers` or `threads` is less than 1.

    Examples
    --------
    >>> executor = BeamExecutor()
    >>> executor.execute_plan(executor.prepare_plan([])).tasks
    0
    """

    overhead = BATCH_SECONDS

    def __init__(
        self,
        runner: Runner | None = None,
        options: Options | None = None,
        *,
        retries: int = 0,
        workers: int | None = None,
        threads: int | None = None,
    ) -> None:
        check_numbers(retries=retries, workers=workers, threads=threads)
        self.runner = runner
        self.options = options
        self.retries = retries
        given = make_options(options)
        chosen = choose_runner(runner, given)
        self.workers = workers or count_workers(chosen, given)
        share = available_cores() // self.workers if is_local(chosen) else 1
        self.threads = threads or max(1, share)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(runner={self.runner!r}, options={self.options!r}, "
            f"retries={self.retries}, workers={self.workers}, threads={self.threads})"
        )

    def prepare_plan(self, specs: Iterable[CopySpec]) -> RechunkTransform:
        """Return one transform that yields a `rechunker.types.Traffic`.

        Parameters
        ----------
        specs
            Copy specs of the plan.
        """
        every = tuple(specs)
        # Two plans in one pipeline must not have one label.
        title = next((f"{s.title} [{s.target_id}]" for s in every if s.title), "")
        return RechunkTransform(rounds(every), BatchRunner(self.retries), self.workers, title)

    def execute_plan(
        self,
        plan: RechunkTransform,
        *,
        runner: Runner | None = None,
        options: Options | None = None,
        progress: Progress = None,
        retries: int | None = None,
        **kwargs: Any,
    ) -> Traffic | None:
        """Run a pipeline that consists of the plan, and wait until it ends.

        Parameters
        ----------
        plan
            Transform that `prepare_plan` returned.
        runner
            Runner of the pipeline; by default the executor's.
        options
            Options of the pipeline; by default the executor's. They replace the executor's options
            as a whole.
        progress
            True for a progress bar, or a function that is called with the number of tasks done, the
            number of tasks in total, and the decoded bytes read and written so far: after each
            batch that runs in this process, otherwise once a second with the counters of Beam.
            Where a runner has none before its end, as with worker processes on this machine, the
            function is called once, at the end.
        retries
            Number of times to retry a failed task; by default the executor's.

        Returns
        -------
        Traffic or None
            Traffic of all tasks; None if the runner reports no metrics.

        Raises
        ------
        TypeError
            If there are other keyword arguments, or `runner`, `options` or `progress` has a wrong
            type.
        ImportError
            If `progress` is True and tqdm is not installed.
        ValueError
            If `retries` is negative.
        RuntimeError
            If the pipeline ends in a state other than DONE. Most runners raise the error of a
            failed task first.
        """
        refuse_keywords("beam", kwargs, ("runner", "options", "progress", "retries"))
        given = make_options(self.options if options is None else options)
        chosen = choose_runner(self.runner if runner is None else runner, given)
        pipeline = beam.Pipeline(runner=chosen, options=given)
        dask_runner.spread(pipeline, self.workers)
        execution = Execution()
        pipeline | plan.for_execution(execution, retries)
        # Beam raises the first error, while batches may run on in other threads of this process.
        with (
            reporter(progress, plan.rounds) as report,
            listening(execution, report) as listener,
            explained(),
            execution.ended(),
        ):
            return await_result(pipeline.run(), execution, listener)
