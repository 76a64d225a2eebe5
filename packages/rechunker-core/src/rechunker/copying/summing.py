"""Sum work: what a task does that only reads: add up the values in its box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy.typing as npt

from rechunker.copying.alone import is_for_one
from rechunker.copying.batch import run_tasks
from rechunker.copying.errors import error_at
from rechunker.copying.lanes import Lane, Lanes
from rechunker.copying.reading import Reader
from rechunker.copying.zarr_settings import having
from rechunker.planning import Grid, blocks_meeting, counts, task_box
from rechunker.stores import StageJournal
from rechunker.types import Stage, Traffic

__all__ = ["SumWork", "sum_stage"]


@dataclass(frozen=True)
class SumWork:
    """The tasks of a stage that adds up an array; small, and picklable.

    Parameters
    ----------
    name
        Name of the stage, for errors.
    shape
        Elements of the array along every axis.
    grid
        Task grid; its boxes consist of whole units of the reader.
    reader
        Where the elements come from.
    threads
        Number of reads that one task has in flight.
    alone
        Whether to set `Lanes.alone`.
    settings
        Settings of `zarr.config` where the plan was made, by dotted name.
    journal
        Where the sums go.
    """

    name: str
    shape: tuple[int, ...]
    grid: Grid
    reader: Reader
    threads: int
    alone: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    journal: StageJournal | None = None

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        with having(self.settings):
            yield from run_tasks(self.journal, tasks, Lanes(self.threads), self._run)

    def _run(self, task: int, lanes: Lanes) -> None:
        box = task_box(self.shape, self.grid, task)

        def add_up(start: tuple[int, ...], data: npt.NDArray[Any], lane: Lane) -> None:
            lane.add_up(start, data, box)

        with error_at(lambda: f"{self.name}, task {task}"):
            units = blocks_meeting(self.shape, self.reader.grid, box)
            lanes.alone = self.alone
            self.reader.each(units, box, lanes, add_up)
        lanes.trim()


def sum_stage(
    name: str,
    grid: Grid,
    reader: Reader,
    shape: tuple[int, ...],
    *,
    memory: tuple[int, int],
    threads: int,
    nbytes: int,
    settings: Mapping[str, Any],
    journal: StageJournal | None,
) -> Stage:
    """Return the stage that adds up an array, with as many reads in flight as fit in memory.

    Parameters
    ----------
    name, grid, reader, shape, settings, journal
        As for `SumWork`.
    memory
        Bytes that one read takes, and those of a task at most.
    threads
        Number of reads that one task has in flight, at most.
    nbytes
        Decoded bytes of the array.
    """
    each, most = memory
    at_once = max(1, min(threads, most // each))
    tasks, units = prod(counts(shape, grid)), prod(counts(shape, reader.grid))
    alone = is_for_one(reader.store, nbytes, units, tasks)
    work = SumWork(name, shape, grid, reader, at_once, alone, settings, journal)
    return Stage(name, tasks, work, at_once * each, nbytes)
