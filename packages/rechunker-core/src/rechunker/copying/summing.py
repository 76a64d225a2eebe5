"""Sum work: what a task does that only reads: add up the values in its box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import zarr

from rechunker.copying.batch import Batch
from rechunker.copying.errors import error_at
from rechunker.copying.lanes import Lane, Lanes
from rechunker.copying.reading import Reader
from rechunker.planning import Box, Grid, blocks_meeting, task_box
from rechunker.stores import StageJournal
from rechunker.types import Traffic

__all__ = ["SumWork"]


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
    settings: Mapping[str, Any] = field(default_factory=dict)
    journal: StageJournal | None = None

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        with (
            zarr.config.set(dict(self.settings)),
            Batch(self.journal, tasks) as batch,
            Lanes(self.threads) as lanes,
        ):
            for task in tasks:
                if batch.is_known(task):
                    yield Traffic(known=1)
                    continue
                self._run(task_box(self.shape, self.grid, task), lanes, task)
                traffic = lanes.take_traffic() + Traffic(tasks=1)
                batch.note(task, traffic, lanes.take_sum())
                yield traffic

    def _run(self, box: Box, lanes: Lanes, task: int) -> None:
        def read(index: tuple[int, ...], lane: Lane) -> None:
            with error_at(lambda: self.reader.locate(index)):
                for start, data in self.reader.pieces(index, box, lane):
                    lane.add_up(start, data, box)

        with error_at(lambda: f"{self.name}, task {task}"):
            lanes.each(blocks_meeting(self.shape, self.reader.grid, box), read)
        lanes.trim()
