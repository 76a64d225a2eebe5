"""`RechunkTransform`, a plan as a Beam transform: one nested transform for each round."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import chain, count, pairwise
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection

from rechunker.running import BatchRunner, Execution, batches
from rechunker.types import Stage, Traffic
from rechunker_beam.settings import count_workers
from rechunker_beam.steps import NOTHING, Batch, Element, Finish, RunStages, begin, nothing

__all__ = ["RechunkTransform"]

# Measured overhead of Beam per batch in one process.
BATCH_SECONDS = 1e-4
# Maximum number of steps in a round. Each step takes Beam ten milliseconds, and the steps call each
# other: with three hundred of them a worker's stack overflows.
STEPS = 32

Group = tuple[int, Sequence[Stage]]


class RechunkTransform(beam.PTransform):  # type: ignore[misc]
    """A whole plan as a transform that can be applied to any pipeline.

    Apply it to a pipeline: ``pipeline | rechunked.plan``. Or apply it to a step of a pipeline, or
    to a tuple of several: ``step | rechunked.plan``; then no task runs before these steps are done,
    and what they yield is not used. When all tasks are done, the transform yields one
    `rechunker.types.Traffic`, which later steps can wait for. Its label names source and target.

    Parameters
    ----------
    rounds
        Rounds in order, each a sequence of stages that may run side by side. A round starts when
        all tasks of the previous round are done.
    runner
        Runs the batches, and retries failed tasks.
    workers
        Number of batches that are expected to run at a time. The number in the options of the
        pipeline counts instead if it is larger.
    title
        What the plan is called, such as "maps.zarr to series.zarr [3f5a0c]"; its label.

    Notes
    -----
    Between two rounds there is a `GroupByKey` of the batches of the next round *and* of the traffic
    of the previous one. It passes on no group before all of its input has arrived, so it is a
    barrier with every runner. It also spreads the batches over the workers.

    Examples
    --------
    >>> from apache_beam.options.pipeline_options import PipelineOptions
    >>> with beam.Pipeline("FnApiRunner", options=PipelineOptions([])) as pipeline:
    ...     done = pipeline | RechunkTransform([], BatchRunner(), workers=1)
    """

    def __init__(
        self,
        rounds: Sequence[Sequence[Stage]],
        runner: BatchRunner,
        workers: int,
        title: str = "",
    ) -> None:
        super().__init__(f"Rechunk {title}".rstrip())
        self._title = title
        some = (tuple(stage for stage in stages if len(stage)) for stages in rounds)
        self._rounds = tuple(stages for stages in some if stages)
        self._runner = runner
        self._workers = workers

    @property
    def rounds(self) -> Sequence[Sequence[Stage]]:
        """Rounds in order, each a sequence of stages."""
        return self._rounds

    def for_execution(self, execution: Execution, retries: int | None = None) -> RechunkTransform:
        """Return a copy of the plan for one execution.

        Parameters
        ----------
        execution
            The execution that its batches belong to.
        retries
            Number of times to retry a failed task; by default that of the plan.

        Raises
        ------
        TypeError, ValueError
            If `retries` is not an integer of 0 or more.
        """
        tries = self._runner.retries if retries is None else retries
        runner = replace(self._runner, retries=tries, execution=execution)
        return RechunkTransform(self._rounds, runner, self._workers, self._title)

    def __ror__(self, left: Any, label: str | None = None) -> Any:
        # Apply a copy: Beam binds a transform to the first pipeline that it is applied to.
        return super(RechunkTransform, copy(self)).__ror__(left, label)

    def expand(self, before: Any) -> PCollection[Traffic]:
        """Add the steps of all rounds to a pipeline.

        Parameters
        ----------
        before
            Start of the pipeline, or the steps to wait for, which Beam passes when the transform is
            applied.

        Raises
        ------
        TypeError
            If the transform is applied to anything but a pipeline, a step or several steps.
        """
        steps = [] if isinstance(before, PBegin) else _steps_of(before)
        pipeline = steps[0].pipeline if steps else before.pipeline
        workers = max(self._workers, count_workers(pipeline.runner, pipeline.options))
        done = pipeline | "begin" >> beam.Create([NOTHING], reshuffle=False)
        if steps:
            # The first round groups its batches with all of this, so that it waits for the steps.
            ends = [step | f"end of step {n}" >> _End() for n, step in enumerate(steps, 1)]
            done = (done, *ends) | "with the steps before" >> beam.Flatten()
        for number, stages in enumerate(self._rounds, 1):
            done = done | f"round {number}" >> _Round(stages, self._runner, workers)
        return done | "end" >> beam.GroupByKey() | "total" >> beam.ParDo(Finish())


class _End(beam.PTransform):  # type: ignore[misc]
    """Yield nothing, in the one window that a plan has; but only its end is awaited."""

    def expand(self, step: PCollection[Any]) -> PCollection[Element]:
        window = beam.WindowInto(beam.window.GlobalWindows())
        return step | "window" >> window | "nothing" >> beam.FlatMap(nothing)


def _steps_of(before: Any) -> list[PCollection[Any]]:
    steps = list(before) if isinstance(before, tuple | list) else [before]
    if not steps or not all(isinstance(step, PCollection) for step in steps):
        raise TypeError(
            f"a plan of Rechunker must be applied to a pipeline or to its steps, got {before!r}; "
            "write pipeline | plan, step | plan or (step, other) | plan"
        )
    return steps


class _Round(beam.PTransform):  # type: ignore[misc]
    """Run the stages of one round side by side, after all tasks of its input are done.

    The steps of the stages form a chain, and each step passes on the batches of the others. With
    parallel branches instead, `DaskRunner` would multiply its partitions by the number of branches
    in every round.
    """

    def __init__(self, stages: Sequence[Stage], runner: BatchRunner, workers: int) -> None:
        super().__init__()
        self._stages = stages
        self._runner = runner
        self._workers = workers

    def expand(self, done: PCollection[Element]) -> PCollection[Element]:
        numbered = list(enumerate(self._batches()))
        waiting = done.pipeline | "batches" >> beam.Create(numbered, reshuffle=False)
        elements = (
            (waiting, done)
            | "put together" >> beam.Flatten()
            | "wait" >> beam.GroupByKey()
            | "go" >> beam.FlatMapTuple(begin)
        )
        for label, (first, stages) in self._steps().items():
            elements = elements | label >> beam.ParDo(RunStages(first, stages, self._runner))
        return elements

    def _batches(self) -> Iterator[Batch]:
        for number, stage in enumerate(self._stages):
            for tasks in batches(stage, overhead=BATCH_SECONDS, workers=self._workers):
                yield number, tasks.start, tasks.stop

    def _steps(self) -> dict[str, Group]:
        """Return the stages of each step and the index of the first of them, by step label."""
        stages, most = self._stages, min(len(self._stages), STEPS)
        bounds = [i * len(stages) // most for i in range(most + 1)]
        steps: dict[str, Group] = {}
        for first, stop in pairwise(bounds):
            label = _unused(_label(stages[first:stop]), steps)
            steps[label] = first, stages[first:stop]
        return steps


def _label(stages: Sequence[Stage]) -> str:
    others = f" and {len(stages) - 1} more" if len(stages) > 1 else ""
    return f"{stages[0].name}{others}"


def _unused(label: str, used: Container[str]) -> str:
    """Return the label, with a number if a step already has it."""
    labels = chain([label], (f"{label} ({i})" for i in count(2)))
    return next(chosen for chosen in labels if chosen not in used)
