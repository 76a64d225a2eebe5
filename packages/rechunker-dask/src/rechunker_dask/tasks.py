"""Functions that the Dask tasks of a graph call on the workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cloudpickle

from rechunker.running import BatchRunner
from rechunker.types import Stage, Traffic
from rechunker_dask.blocks import Index, with_blocks

__all__ = ["Sealed", "passed", "run_batch", "run_with_blocks", "total"]


class Sealed:
    """A stage that is unpickled only on the worker that runs it, not by the scheduler.

    Parameters
    ----------
    content
        A stage, or the bytes of a pickled stage.
    """

    def __init__(self, content: Stage | bytes) -> None:
        self._content = content

    def __reduce__(self) -> tuple[Callable[[bytes], Sealed], tuple[bytes]]:
        content = self._content
        return Sealed, (content if isinstance(content, bytes) else cloudpickle.dumps(content),)

    def open(self) -> Stage:
        """Return the stage."""
        if isinstance(self._content, Stage):
            return self._content
        stage: Stage = cloudpickle.loads(self._content)
        return stage


def run_batch(sealed: Sealed, tasks: range, runner: BatchRunner, *before: None) -> Traffic:
    """Run a batch: some tasks of a stage, one after another.

    Parameters
    ----------
    sealed
        The stage.
    tasks
        Numbers of the tasks.
    runner
        Runs the tasks, and retries those that fail.
    *before
        Gates of earlier rounds. Not used: they make Dask wait for these rounds.

    Returns
    -------
    Traffic
        Traffic of these tasks.
    """
    return runner(sealed.open(), tasks)


def run_with_blocks(
    sealed: Sealed, task: int, runner: BatchRunner, indices: tuple[Index, ...], *values: Any
) -> Traffic:
    """Run one task of a stage that reads blocks which Dask has brought to this worker.

    Parameters
    ----------
    sealed
        The stage.
    task
        Number of the task.
    runner
        Runs the task, and retries it if it fails.
    indices
        Block indices of the blocks.
    *values
        Gates of earlier rounds, followed by the blocks in the order of `indices`.

    Returns
    -------
    Traffic
        Traffic of the task.
    """
    blocks = dict(zip(indices, values[len(values) - len(indices) :], strict=True))
    return runner(with_blocks(sealed.open(), blocks), range(task, task + 1))


def passed(traffic: Traffic) -> None:
    """Let the next round begin: all batches of a round, and of those before, are done."""


def total(*parts: Traffic) -> Traffic:
    """Return the sum of the traffic of a round's batches and of the rounds before."""
    return Traffic.total(parts)
