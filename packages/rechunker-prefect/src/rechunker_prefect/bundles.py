"""What the task runs of a round do: a few bundles, each of one batch or of several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from rechunker.running import BATCHES_PER_WORKER, batches, least_seconds
from rechunker.types import Stage

__all__ = ["Batch", "Bundle", "bundles"]

# What Prefect takes over a task run, measured: 4 ms here, the rest in the server.
RUN_SECONDS = 0.02
# Task runs for each stage, and for each round; more than eight for each worker are allowed.
MOST = 32


@dataclass(frozen=True)
class Batch:
    """Some tasks of a stage.

    Parameters
    ----------
    stage, tasks
        A stage and which of its tasks are run.
    """

    stage: Stage
    tasks: range

    @property
    def seconds(self) -> float:
        """A low estimate of what the tasks take."""
        return least_seconds(self.stage, len(self.tasks))


@dataclass(frozen=True)
class Bundle:
    """What one task run does, one batch after another.

    Parameters
    ----------
    batches
        One at least; more than one where the arrays of a plan are many and small.
    """

    batches: tuple[Batch, ...]

    @property
    def seconds(self) -> float:
        """A low estimate of what it takes."""
        return sum(batch.seconds for batch in self.batches)

    @property
    def stage(self) -> str:
        """Name of the first stage."""
        return self.batches[0].stage.name

    @property
    def name(self) -> str:
        """A name for people, such as ``air: read 0-499``."""
        tasks = self.batches[0].tasks
        last = f"-{tasks[-1]}" if len(tasks) > 1 else ""
        more = f" and {len(self.batches) - 1} more" if len(self.batches) > 1 else ""
        return f"{self.stage} {tasks[0]}{last}{more}"


def bundles(stages: Iterable[Stage], workers: int) -> tuple[Bundle, ...]:
    """Split the tasks of a round into what task runs do.

    Parameters
    ----------
    stages
        Stages that may run side by side.
    workers
        How many task runs there are at a time.

    Returns
    -------
    tuple of Bundle
        At most 32, or eight for each worker, however many stages there are.

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
    """Put batches that follow each other together, so that bundles take about as long."""
    share = sum(batch.seconds for batch in every) / most
    before = 0.0
    places = []
    for batch in every:
        places.append(int((before + batch.seconds / 2) / share))
        before += batch.seconds
    together = groupby(zip(places, every, strict=True), key=lambda pair: pair[0])
    return tuple(Bundle(tuple(batch for _, batch in group)) for _, group in together)
