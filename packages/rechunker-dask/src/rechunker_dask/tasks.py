"""What the tasks of a graph do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cloudpickle

from rechunker.running import BatchRunner
from rechunker.types import Stage, Traffic
from rechunker_dask.blocks import Index, with_blocks

__all__ = ["Sealed", "run_batch", "run_with_blocks", "total"]


class Sealed:
    """A stage that is unpickled where it runs, and not by schedulers on the way.

    Parameters
    ----------
    content
        A stage, or a pickled one.
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


def run_batch(sealed: Sealed, tasks: range, runner: BatchRunner, *before: Traffic) -> Traffic:
    """Run some tasks of a stage, one after another.

    Parameters
    ----------
    sealed, tasks
        A stage and which of its tasks are run.
    runner
        Runs them.
    before
        What the stages before did; without use, but for being waited for.
    """
    return runner(sealed.open(), tasks)


def run_with_blocks(
    sealed: Sealed, task: int, runner: BatchRunner, indices: tuple[Index, ...], *values: Any
) -> Traffic:
    """Run one task of a stage that reads blocks which dask has brought here.

    Parameters
    ----------
    sealed, task
        A stage and which of its tasks is run.
    runner
        Runs them.
    indices
        Of the blocks.
    values
        What the stages before did, and after that the blocks.
    """
    blocks = dict(zip(indices, values[len(values) - len(indices) :], strict=True))
    return runner(with_blocks(sealed.open(), blocks), range(task, task + 1))


def total(*parts: Traffic) -> Traffic:
    """Return what all batches of a round, and the rounds before, did."""
    return sum(parts, Traffic())
