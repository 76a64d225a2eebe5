"""What the tasks of a graph do."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cloudpickle

from rechunker.types import Stage, Traffic
from rechunker_dask.blocks import Index, with_blocks

__all__ = ["Sealed", "Settings", "run_batch", "run_with_blocks", "total"]

# Before a task is tried again, and the longest that this grows to, doubled each time.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What holds for all tasks of a graph.

    Parameters
    ----------
    retries
        How many times more a task is run after it has failed.
    home
        Process whose memory the tasks share; None if they may run anywhere.
    """

    retries: int = 0
    home: int | None = None


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


def run_batch(sealed: Sealed, tasks: range, settings: Settings, *before: Traffic) -> Traffic:
    """Run some tasks of a stage, one after another.

    Parameters
    ----------
    sealed, tasks
        A stage and which of its tasks are run.
    settings
        Of the graph.
    before
        What the stages before did; without use, but for being waited for.
    """
    return _run(sealed.open(), tasks, settings)


def run_with_blocks(
    sealed: Sealed, task: int, settings: Settings, indices: tuple[Index, ...], *values: Any
) -> Traffic:
    """Run one task of a stage that reads blocks which dask has brought here.

    Parameters
    ----------
    sealed, task
        A stage and which of its tasks is run.
    settings
        Of the graph.
    indices
        Of the blocks.
    values
        What the stages before did, and after that the blocks.
    """
    blocks = dict(zip(indices, values[len(values) - len(indices) :], strict=True))
    return _run(with_blocks(sealed.open(), blocks), range(task, task + 1), settings)


def _run(stage: Stage, tasks: range, settings: Settings) -> Traffic:
    if settings.home not in (None, os.getpid()):
        raise RuntimeError(
            "this plan was made for a scheduler that runs in one process, by "
            "DaskExecutor(scheduler=...), and its stores may live there: run it with that "
            "scheduler, or plan anew with another"
        )
    done, failures = Traffic(), 0
    position = 0
    while position < len(tasks):
        try:
            for traffic in stage.iterate(tasks[position:]):
                done += traffic
                position += 1
                failures = 0
        except Exception as error:
            if failures == settings.retries:
                raise
            failures += 1
            log.warning("%s, task %s: %r; trying again", stage.name, tasks[position], error)
            time.sleep(min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE))
    return done


def total(*parts: Traffic) -> Traffic:
    """Return what all batches of a round, and the rounds before, did."""
    return sum(parts, Traffic())
