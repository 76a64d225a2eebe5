"""Bundles: the batches that one Prefect task run works on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from rechunker.running import BATCHES_PER_WORKER, batches, least_seconds
from rechunker.types import Stage

__all__ = ["Batch", "Bundle", "bundles"]

# Measured overhead of Prefect per task run: 4 ms in this process, the rest in the server.
RUN_SECONDS = 0.02
# Maximum number of task runs for one stage, and for one round; with more than four workers, eight
# task runs for each worker are allowed.
MOST = 32


@dataclass(frozen=True)
class Batch:
    """Some tasks of a stage.

    Parameters
    ----------
    stage
        The stage.
    tasks
        Numbers of the tasks.
    """

    stage: Stage
    tasks: range

    @property
    def seconds(self) -> float:
        """Low estimate of the run time of the tasks."""
        return least_seconds(self.stage, len(self.tasks))


@dataclass(frozen=True)
class Bundle:
    """The batches that one task run works on, one after another.

    Parameters
    ----------
    batches
        One batch or more. More than one only if a plan has many small arrays.
    """

    batches: tuple[Batch, ...]

    @property
    def seconds(self) -> float:
        """Low estimate of the run time of all batches."""
        return sum(batch.seconds for batch in self.batches)

    @property
    def stage(self) -> str:
        """Name of the first stage."""
        return self.batches[0].stage.name

    @property
    def name(self) -> str:
        """Name of the task run in Prefect's UI, such as ``air: read 0-499``."""
        tasks = self.batches[0].tasks
        last = f"-{tasks[-1]}" if len(tasks) > 1 else ""
        more = f" and {len(self.batches) - 1} more" if len(self.batches) > 1 else ""
        return f"{self.stage} {tasks[0]}{last}{more}"


def bundles(stages: Iterable[Stage], workers: int) -> tuple[Bundle, ...]:
    """Split the tasks of a round into bundles.

    Parameters
    ----------
    stages
        Stages of the round.
    workers
        Number of task runs that are active at a time.

    Returns
    -------
    tuple of Bundle
        At most 32 bundles, or eight for each worker if that is more, for any number of stages.

    Examples
    --------
    >>> stages = [Stage(f"a{i}", 100, lambda _: ()) for i in range(1000)]
    >>> len(bundles(stages[:1], workers=1)), len(bundles(stages, workers=1))
    (8, 32)
    """
    every = [
        Batch(stage, tasks)
        for stage in stages
        for tasks in batches(stage, overhead=RUN_SECONDS, workers=workers, most=MOST)
    ]
    most = max(MOST, BATCHES_PER_WORKER * workers)
    if len(every) <= most:
        return tuple(Bundle((batch,)) for batch in every)
    return _packed(every, most)


def _packed(every: Sequence[Batch], most: int) -> tuple[Bundle, ...]:
    """Join consecutive batches into at most `most` bundles of similar run time."""
    share = sum(batch.seconds for batch in every) / most
    before = 0.0
    places = []
    for batch in every:
        places.append(int((before + batch.seconds / 2) / share))
        before += batch.seconds
    together = groupby(zip(places, every, strict=True), key=lambda pair: pair[0])
    return tuple(Bundle(tuple(batch for _, batch in group)) for _, group in together)
