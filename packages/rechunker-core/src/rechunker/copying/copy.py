"""Copy work: what a task does: read the units that meet its box, scatter them, write the box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy.typing as npt

from rechunker.copying.batch import run_tasks
from rechunker.copying.blanks import Held
from rechunker.copying.buffers import Cells, ViewCells, cell_buffer, is_variable_length
from rechunker.copying.changed import with_changes
from rechunker.copying.errors import error_at
from rechunker.copying.lanes import Lane, Lanes
from rechunker.copying.reading import Reader
from rechunker.copying.scatter import CellLayout
from rechunker.copying.writing import Writer
from rechunker.copying.zarr_settings import having
from rechunker.planning import Box, Grid, Layout, blocks_meeting, task_box
from rechunker.stores import StageJournal
from rechunker.types import Traffic

__all__ = ["CopyWork"]


@dataclass(frozen=True)
class CopyWork:
    """The tasks of one stage; small, and picklable.

    Parameters
    ----------
    name
        Name of the stage, for errors.
    shape
        Elements of the array along every axis.
    grid
        Task grid: each task owns one box of it.
    reader, writer
        Where the elements come from and where they go.
    layout
        How a task holds its box in memory.
    threads
        Number of reads, or writes, that one task has in flight.
    alone
        Whether to set `Lanes.alone` while a task reads, and while it writes.
    settings
        Settings of `zarr.config` where the plan was made, by dotted name.
    journal
        Journal of the stage, with the claim of the run, which is looked at every second; None if
        the target can hold neither.
    sums
        Whether to add up what is read.
    """

    name: str
    shape: tuple[int, ...]
    grid: Grid
    reader: Reader
    writer: Writer
    layout: Layout
    threads: int
    alone: tuple[bool, bool] = (False, False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    journal: StageJournal | None = None
    sums: bool = False

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        with having(self.settings):
            done = run_tasks(self.journal, tasks, self._lanes(), self._run)
            yield from with_changes(self.writer.store, self.name, tasks, done)

    @cached_property
    def _is_in_place(self) -> bool:
        """Whether each thread first reads and then writes with the same memory.

        All threads then hold as much as they do when each of them writes. So they must do that in
        a whole box, and no read may take more.
        """
        read, written = self.reader.place_bytes, self.writer.place_bytes
        if self.layout is Layout.VIEW or read is None or read > written:
            return False
        return self.writer.layout(task_box(self.shape, self.grid, 0)).count >= self.threads

    def _lanes(self) -> Lanes:
        in_place = self._is_in_place
        # What was read with is free to be used again where it is written with, or nothing is.
        keep = in_place or not self.writer.spills
        boxes = not is_variable_length(self.reader.dtype)
        return Lanes(self.threads, boxes=boxes, in_place=in_place, keep=keep)

    def _run(self, task: int, lanes: Lanes) -> None:
        box = task_box(self.shape, self.grid, task)
        if self.layout is Layout.VIEW:
            lanes.box.release()  # a unit is read before the box takes its memory
        with error_at(lambda: f"{self.name}, task {task}"):
            held = None if self.layout is Layout.VIEW else Held.of(self.reader, box)
            if held is not None:
                held.count(lanes.first, sums=self.sums)
                if not held.units and self.writer.leaves_out(held.blank):
                    lanes.first.count(empty=self._layout_of(box).count)
                    return
            reads_alone, writes_alone = self.alone
            lanes.alone = reads_alone
            cells = self._cells(box, lanes, held)
            lanes.trim()
            lanes.alone = writes_alone
            self.writer.write(task, cells, lanes, held)
        del cells
        lanes.trim()

    def _cells(self, box: Box, lanes: Lanes, held: Held | None) -> Cells:
        """Read a box and return its cells."""
        if self.layout is Layout.VIEW:
            return self._cells_of_one_unit(box, lanes)
        cells = cell_buffer(self._layout_of(box), self.reader.dtype, lanes.box)
        if cells.layout.box != box:
            cells.fill(self.writer.blank)
        if held is not None:
            cells.put(box.start, held.values)

        def put(start: tuple[int, ...], data: npt.NDArray[Any], lane: Lane) -> None:
            if self.sums:
                lane.add_up(start, data, box)
            cells.put(start, data)

        units = blocks_meeting(self.shape, self.reader.grid, box)
        self.reader.each(units if held is None else held.units, box, lanes, put)
        return cells

    def _cells_of_one_unit(self, box: Box, lanes: Lanes) -> Cells:
        """Read the single unit that meets the box; use it as the buffer if the writer allows it."""
        (index,) = blocks_meeting(self.shape, self.reader.grid, box)
        lane = lanes.first
        with error_at(lambda: self.reader.locate(index)):
            ((start, data),) = self.reader.pieces(index, box, lane)
        if self.sums:
            lane.add_up(start, data, box)
        layout = self._layout_of(box)
        if not self.writer.packed:
            return ViewCells(layout, start, data)
        lane.encoded.release()  # the box takes its place
        cells = cell_buffer(layout, self.reader.dtype, lanes.box)
        cells.put(start, data)
        lane.release()
        return cells

    def _layout_of(self, box: Box) -> CellLayout:
        same_units = self.layout is Layout.VIEW and self.reader.grid == self.writer.grid
        if self.layout is Layout.PADDED or same_units:
            return self.writer.padded_layout(box)
        return self.writer.layout(box)
