"""The transform that is a plan: a round of steps for each round of stages."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from copy import copy
from itertools import chain, count, pairwise
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection

from rechunker.running import BatchRunner, batches
from rechunker.types import Stage, Traffic
from rechunker_beam.settings import count_workers
from rechunker_beam.steps import NOTHING, Batch, Element, Finish, RunStages, begin

__all__ = ["RechunkTransform"]

# What Beam takes over a batch in one process, measured.
BATCH_SECONDS = 1e-4
# Steps that a round has at most. Each takes Beam ten milliseconds, and they are nested calls to it:
# with three hundred of them a worker has no stack left.
STEPS = 32

Group = tuple[int, Sequence[Stage]]


class RechunkTransform(beam.PTransform):  # type: ignore[misc]
    """All that a plan does, as a transform for any pipeline.

    It is applied to a pipeline, and yields one `rechunker.types.Traffic` when all is done, which
    other steps can wait for. With a second one in the same pipeline, give each a label, as usual:
    ``pipeline | "Rechunk air" >> rechunked.plan``.

    Parameters
    ----------
    rounds
        Stages that may run side by side; each round waits for the one before.
    runner
        Runs the batches of tasks.
    workers
        How many batches are expected to run at a time, unless the options of the pipeline speak
        of more.

    Notes
    -----
    Between two rounds lies a `GroupByKey` of the batches to come *and* of what was done. No group
    leaves it before all of its input is there, so it is a barrier for every runner, and at once
    what spreads batches over workers.

    Examples
    --------
    >>> from apache_beam.options.pipeline_options import PipelineOptions
    >>> with beam.Pipeline("FnApiRunner", options=PipelineOptions([])) as pipeline:
    ...     done = pipeline | RechunkTransform([], BatchRunner(), workers=1)
    """

    def __init__(
        self, rounds: Sequence[Sequence[Stage]], runner: BatchRunner, workers: int
    ) -> None:
        super().__init__("Rechunk")
        some = (tuple(stage for stage in stages if len(stage)) for stages in rounds)
        self._rounds = tuple(stages for stages in some if stages)
        self._runner = runner
        self._workers = workers

    def trying_again(self, retries: int) -> RechunkTransform:
        """Return the plan with another number of retries.

        Parameters
        ----------
        retries
            How many times more a task is run after it has failed.
        """
        return RechunkTransform(self._rounds, BatchRunner(retries), self._workers)

    def __ror__(self, left: Any, label: str | None = None) -> Any:
        # Beam binds a transform to the first pipeline that it is applied to; this one is free.
        return super(RechunkTransform, copy(self)).__ror__(left, label)

    def expand(self, pbegin: PBegin) -> PCollection[Traffic]:
        """Add the steps of all rounds to a pipeline.

        Raises
        ------
        TypeError
            If the transform is applied to anything but a pipeline.
        """
        if not isinstance(pbegin, PBegin):
            raise TypeError(f"a plan of Rechunker is applied to a pipeline, not to {pbegin}")
        pipeline = pbegin.pipeline
        workers = max(self._workers, count_workers(pipeline.runner, pipeline.options))
        done = pbegin | "begin" >> beam.Create([NOTHING], reshuffle=False)
        for number, stages in enumerate(self._rounds, 1):
            done = done | f"round {number}" >> _Round(stages, self._runner, workers)
        return done | "end" >> beam.GroupByKey() | "total" >> beam.ParDo(Finish())


class _Round(beam.PTransform):  # type: ignore[misc]
    """Runs the stages of one round side by side, when all that it is applied to is done.

    The steps, one for each stage, are in a row: a batch passes those of other stages. With a branch
    for each, `DaskRunner` would have that many times more partitions after every round.
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
        """Return stages that follow each other, and the number of the first, by label."""
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
    """Return a label that no step has yet."""
    labels = chain([label], (f"{label} ({i})" for i in count(2)))
    return next(chosen for chosen in labels if chosen not in used)
