"""Functions that the Dask tasks of a graph call on the workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cloudpickle

from rechunker.running import BatchRunner
from rechunker.types import Stage, Traffic
from rechunker_dask.blocks import Index, with_blocks

__all__ = ["Sealed", "passed", "run_batches", "run_with_blocks", "total"]


class Sealed:
    """Stages that are unpickled only on the worker that runs them, not by the scheduler.

    Parameters
    ----------
    content
        The stages, or the bytes of the pickled stages.
    """

    def __init__(self, content: tuple[Stage, ...] | bytes) -> None:
        self._content = content

    def __reduce__(self) -> tuple[Callable[[bytes], Sealed], tuple[bytes]]:
        content = self._content
        return Sealed, (content if isinstance(content, bytes) else cloudpickle.dumps(content),)

    def open(self) -> tuple[Stage, ...]:
        """Return the stages."""
        if isinstance(self._content, bytes):
            stages: tuple[Stage, ...] = cloudpickle.loads(self._content)
            return stages
        return self._content


def run_batches(
    sealed: Sealed, ranges: Sequence[range], runner: BatchRunner, *before: None
) -> Traffic:
    """Run batches: some tasks of each of some stages, one after another.

    Parameters
    ----------
    sealed
        The stages.
    ranges
        Numbers of the tasks of each stage.
    runner
        Runs the tasks, and retries those that fail.
    *before
        Gates of earlier rounds. Not used: they make Dask wait for these rounds.

    Returns
    -------
    Traffic
        Traffic of these tasks.
    """
    total = Traffic.total(map(runner, sealed.open(), ranges))
    # All stages write to one session, and each has handed back all that is written to it so far.
    return replace(total, changes=total.changes[-1:])


def run_with_blocks(
    sealed: Sealed,
    ranges: Sequence[range],
    runner: BatchRunner,
    indices: tuple[Index, ...],
    *values: Any,
) -> Traffic:
    """Run one task of a stage that reads blocks which Dask has brought to this worker.

    Parameters
    ----------
    sealed
        The stage.
    ranges
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
    (stage,), (task,) = sealed.open(), ranges
    return runner(with_blocks(stage, blocks), task)


def passed(traffic: Traffic) -> None:
    """Let the next round begin: all batches of a round, and of those before, are done."""


def total(*parts: Traffic) -> Traffic:
    """Return the sum of the traffic of a round's batches and of the rounds before."""
    return Traffic.total(parts)
