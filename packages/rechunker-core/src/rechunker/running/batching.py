"""Batching: how many tasks go into one call, for engines that take a while for every call."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rechunker.types import Stage

__all__ = ["BATCHES_PER_WORKER", "Batch", "batches", "bundles", "least_seconds"]

# Seconds that a task takes on a fast machine with a local disk: fixed, and for every byte.
TASK_SECONDS = 1e-3
BYTE_SECONDS = 2e-9
# What the engine may add to the time of the tasks, as a fraction.
SHARE = 0.05
# Batches for each worker, so that no worker waits long for the last one.
BATCHES_PER_WORKER = 8


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
    def name(self) -> str:
        """Name of the stage."""
        return self.stage.name

    @property
    def nbytes(self) -> float:
        """Decoded bytes that the tasks read and write."""
        return self.stage.nbytes * len(self.tasks) / self.stage.tasks

    @property
    def seconds(self) -> float:
        """Low estimate of the run time of the tasks."""
        return least_seconds(self.stage, len(self.tasks))

    def __len__(self) -> int:
        return len(self.tasks)


def least_seconds(stage: Stage, tasks: int) -> float:
    """Return a low estimate of the time that tasks of a stage take, in seconds.

    Parameters
    ----------
    stage
        Stage of a copy spec.
    tasks
        Number of its tasks.

    Examples
    --------
    >>> round(least_seconds(Stage("read", 10, lambda _: (), nbytes=10**9), 5), 3)
    1.005
    """
    share = tasks / stage.tasks if stage.tasks else 0.0
    return TASK_SECONDS * tasks + BYTE_SECONDS * stage.nbytes * share


def batches(
    stage: Stage, *, overhead: float, workers: int = 1, most: int = 2000
) -> tuple[range, ...]:
    """Split the tasks of a stage into ranges; call the stage once for each range.

    Parameters
    ----------
    stage
        Stage of a copy spec.
    overhead
        Seconds that the engine takes for one call. A range is so long that its tasks take twenty
        times as long, by a low estimate, unless workers would then be idle.
    workers
        Number of calls that run at a time.
    most
        Largest number of ranges, unless that is less than eight for each worker.

    Returns
    -------
    tuple of range
        All tasks, in order; the lengths of the ranges differ by one at most.

    Examples
    --------
    >>> batches(Stage("read", 10, lambda _: ()), overhead=0.1, workers=4, most=1)
    (range(0, 1), range(1, 2), ..., range(8, 9), range(9, 10))
    >>> len(batches(Stage("read", 1_000_000, lambda _: ()), overhead=0.1))
    500
    """
    seconds = least_seconds(stage, stage.tasks)
    wanted = int(seconds * SHARE / overhead) if overhead else stage.tasks
    least = BATCHES_PER_WORKER * workers
    number = min(stage.tasks, max(least, min(wanted, most)))
    return tuple(
        range(i * stage.tasks // number, (i + 1) * stage.tasks // number) for i in range(number)
    )


def bundles(
    stages: Sequence[Stage],
    *,
    overhead: float,
    workers: int = 1,
    most: int = 2000,
    in_all: int | None = None,
) -> tuple[tuple[Batch, ...], ...]:
    """Split the tasks of a round into batches, and put together what is not worth a call alone.

    Parameters
    ----------
    stages
        Stages of the round, such as those of many small arrays.
    overhead, workers, most
        As for `batches`. The stages of a round share the workers.
    in_all
        Largest number of calls of the round, unless that is less than eight for each worker; by
        default there is none.

    Returns
    -------
    tuple of tuple of Batch
        For each call the batches to run one after another; together all tasks. Calls of more than
        one batch come last, and take similar times.

    Examples
    --------
    >>> stages = [Stage(f"a{i}", 1, lambda _: ()) for i in range(1000)]
    >>> [len(bundles(stages[:n], overhead=0.002, workers=2)) for n in (3, 1000)]
    [3, 25]
    """
    every = list(_batches_of(stages, overhead, workers, most))
    least = BATCHES_PER_WORKER * workers
    if len(every) <= least:
        return tuple((batch,) for batch in every)
    enough = overhead / SHARE  # seconds that are worth a call
    alone = [batch for batch in every if batch.seconds >= enough / 2]
    small = [batch for batch in every if batch.seconds < enough / 2]
    number = max(1, least - len(alone))
    if overhead:
        number = max(number, int(sum(batch.seconds for batch in small) / enough))
    made = (*((batch,) for batch in alone), *_joined(small, number))
    cap = len(made) if in_all is None else max(in_all, least)
    return made if len(made) <= cap else _joined(every, cap)


def _batches_of(
    stages: Sequence[Stage], overhead: float, workers: int, most: int
) -> Iterator[Batch]:
    """Yield the batches of all stages; a stage has its share of the workers, at least one."""
    seconds = [least_seconds(stage, stage.tasks) for stage in stages]
    for stage, own in zip(stages, seconds, strict=True):
        share = math.ceil(workers * own / sum(seconds)) if own else 1
        for tasks in batches(stage, overhead=overhead, workers=share, most=most):
            yield Batch(stage, tasks)


def _joined(every: Sequence[Batch], number: int) -> tuple[tuple[Batch, ...], ...]:
    """Join consecutive batches into at most `number` calls that take similar times.

    Batches of one stage stay together, so that few calls have to carry it.
    """
    if len(every) <= number:
        return tuple((batch,) for batch in every)
    share = sum(batch.seconds for batch in every) / number
    before, places = 0.0, []
    for batch in every:
        places.append(int((before + batch.seconds / 2) / share))
        before += batch.seconds
    together = groupby(zip(places, every, strict=True), key=lambda pair: pair[0])
    return tuple(tuple(_merged(batch for _, batch in group)) for _, group in together)


def _merged(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield batches, of which those of one stage that follow each other are one."""
    for _, group in groupby(batches, key=lambda batch: id(batch.stage)):
        first, *others = group
        stop = others[-1].tasks.stop if others else first.tasks.stop
        yield Batch(first.stage, range(first.tasks.start, stop))
