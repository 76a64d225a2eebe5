"""Putting tasks into batches, for engines that take a while over every call."""

from __future__ import annotations

from rechunker.types import Stage

__all__ = ["BATCHES_PER_WORKER", "batches", "least_seconds"]

# What a task takes on a fast machine with a local disk, apart from and for every byte.
TASK_SECONDS = 1e-3
BYTE_SECONDS = 2e-9
# What the engine may add to the time of the tasks.
SHARE = 0.05
# Batches for each worker, so that none waits long for the last one.
BATCHES_PER_WORKER = 8


def least_seconds(stage: Stage, tasks: int) -> float:
    """Return a low estimate of the seconds that some tasks of a stage take.

    Parameters
    ----------
    stage
        A stage of a copy spec.
    tasks
        How many of its tasks.

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
    """Split the tasks of a stage into ranges, for each of which the stage is called once.

    Parameters
    ----------
    stage
        A stage of a copy spec.
    overhead
        Seconds that the engine takes over one call. Ranges are so long that they take twenty
        times as long, by a low estimate, unless workers would be without work then.
    workers
        How many calls run at a time.
    most
        How many ranges there may be, unless that is less than eight for each worker.

    Returns
    -------
    tuple of range
        All tasks, in order; the lengths differ by one at most.

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
