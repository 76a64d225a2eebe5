"""The executor whose plans are transforms of Beam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam

from rechunker.running import BatchRunner, available_cores, check_numbers
from rechunker.types import CopySpec, Executor, Traffic, rounds
from rechunker_beam import dask_runner
from rechunker_beam.results import await_result, explained
from rechunker_beam.settings import (
    Options,
    Runner,
    choose_runner,
    count_workers,
    is_local,
    make_options,
)
from rechunker_beam.transform import RechunkTransform

__all__ = ["BeamExecutor"]


class BeamExecutor(Executor[RechunkTransform]):
    """Run tasks with Apache Beam: in this process, or on any runner of Beam.

    A plan is one `apache_beam.PTransform`, which people may also make part of a pipeline of their
    own: ``pipeline | rechunked.plan`` does all that `execute_plan` does.

    Parameters
    ----------
    runner
        What runs the plans, as `apache_beam.Pipeline` takes it. By default the runner that
        `options` name, otherwise Beam's for one machine, "FnApiRunner", which runs one batch at a
        time in this process.
    options
        Options of pipelines: Beam's `PipelineOptions`, a mapping
        (``{"direct_running_mode": "multi_processing", "direct_num_workers": 2}``), or a list of
        flags. Those with which this process was started are not looked at.
    retries
        How many times more a task is run after it has failed, with any runner.
    workers
        How many tasks plans are made for, *each* of which may hold `max_mem`. By default as many
        as the options tell of: ``direct_num_workers`` with a runner for one machine, otherwise
        ``max_num_workers`` or ``num_workers``, or one.
    threads
        How many reads or writes of one task may be in flight at a time. By default each task
        has its share of the processors, with a runner for one machine; otherwise one.

    Raises
    ------
    TypeError
        If `runner` or `options` are nothing that Beam takes.
    ValueError
        If one of the numbers is too small.

    Examples
    --------
    >>> executor = BeamExecutor()
    >>> executor.execute_plan(executor.prepare_plan([])).tasks
    0
    """

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
        """Return one transform, which yields a `rechunker.types.Traffic`."""
        return RechunkTransform(rounds(specs), BatchRunner(self.retries), self.workers)

    def execute_plan(
        self,
        plan: RechunkTransform,
        *,
        runner: Runner | None = None,
        options: Options | None = None,
        retries: int | None = None,
        **kwargs: Any,
    ) -> Traffic | None:
        """Run a pipeline with the plan alone, and wait for it.

        Parameters
        ----------
        plan
            What `prepare_plan` returned.
        runner, options
            Those of the pipeline; by default what the executor was told. Options that are given
            take the place of all others.
        retries
            How many times more a task is run after it has failed; by default as the executor was
            told.

        Returns
        -------
        Traffic or None
            What was counted; None with runners that do not tell.

        Raises
        ------
        TypeError
            If there are other keyword arguments.
        RuntimeError
            If the pipeline comes to another end than that all is done.
        """
        if kwargs:
            raise TypeError(
                f"the beam executor takes no {', '.join(kwargs)}; execute() has runner, options "
                "and retries"
            )
        given = make_options(self.options if options is None else options)
        chosen = choose_runner(self.runner if runner is None else runner, given)
        pipeline = beam.Pipeline(runner=chosen, options=given)
        dask_runner.spread(pipeline, self.workers)
        pipeline | plan if retries is None else pipeline | plan.trying_again(retries)
        with explained():
            return await_result(pipeline.run())
