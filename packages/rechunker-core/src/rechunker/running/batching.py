"""Batching: how many tasks go into one call, for engines that take a while for every call."""

from __future__ import annotations

from rechunker.types import Stage

__all__ = ["BATCHES_PER_WORKER", "batches", "least_seconds"]

# Seconds that a task takes on a fast machine with a local disk: fixed, and for every byte.
TASK_SECONDS = 1e-3
BYTE_SECONDS = 2e-9
# What the engine may add to the time of the tasks, as a fraction.
SHARE = 0.05
# Batches for each worker, so that no worker waits long for the last one.
BATCHES_PER_WORKER = 8


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
