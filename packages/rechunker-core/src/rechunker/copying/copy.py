"""What one task of a stage does: read the units its box meets, scatter them, write the box."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import zarr

from rechunker.copying.buffers import Cells, ViewCells, cell_buffer
from rechunker.copying.lanes import Lane, Lanes
from rechunker.copying.reading import Reader
from rechunker.copying.scatter import CellLayout
from rechunker.copying.writing import Writer, ZarrWriter
from rechunker.planning import Box, Grid, Layout, blocks_meeting, task_box
from rechunker.types import Traffic

__all__ = ["CopyWork"]


@dataclass(frozen=True)
class CopyWork:
    """The tasks of one stage, small and picklable.

    Parameters
    ----------
    shape
        Of the array.
    grid
        Task grid: each task owns one box of it.
    reader, writer
        Where the elements come from and where they go.
    layout
        How a task holds its box.
    threads
        Reads, or writes, in flight at a time in one task.
    settings
        Of `zarr.config`, as they were where the plan was made.
    """

    shape: tuple[int, ...]
    grid: Grid
    reader: Reader
    writer: Writer
    layout: Layout
    threads: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        with zarr.config.set(dict(self.settings)), Lanes(self.threads) as lanes:
            for task in tasks:
                box = task_box(self.shape, self.grid, task)
                self.writer.write(task, self._cells(box, lanes), lanes)
                if self.layout is Layout.VIEW:
                    lanes.box.release()  # not there while the next task reads its unit
                yield lanes.take_traffic() + Traffic(tasks=1)

    def _cells(self, box: Box, lanes: Lanes) -> Cells:
        if self.layout is Layout.VIEW:
            return self._single(box, lanes)
        cells = cell_buffer(self._layout(box), self.reader.dtype, lanes.box)
        if self.layout is Layout.PADDED and cells.layout.box != box:
            assert isinstance(self.writer, ZarrWriter)
            cells.fill(self.writer.array.blank)

        def read(index: tuple[int, ...], lane: Lane) -> None:
            with self._named(index):
                for start, data in self.reader.pieces(index, box, lane):
                    cells.put(start, data)

        lanes.each(blocks_meeting(self.shape, self.reader.grid, box), read)
        return cells

    def _single(self, box: Box, lanes: Lanes) -> Cells:
        """Read the one unit that the box meets; where that is a target's, it is the buffer."""
        (index,) = blocks_meeting(self.shape, self.reader.grid, box)
        lane = lanes.first
        with self._named(index):
            ((start, data),) = self.reader.pieces(index, box, lane)
        layout = self._layout(box)
        if isinstance(self.writer, ZarrWriter):
            return ViewCells(layout, start, data)
        lane.encoded.release()  # the box takes its place
        cells = cell_buffer(layout, self.reader.dtype, lanes.box)
        cells.put(start, data)
        lane.release()
        return cells

    @contextmanager
    def _named(self, index: tuple[int, ...]) -> Iterator[None]:
        """Tell in errors what was read."""
        try:
            yield
        except Exception as error:
            error.add_note(f"while reading {index} of the grid {self.reader.grid}: {self.reader}")
            raise

    def _layout(self, box: Box) -> CellLayout:
        widths = self.writer.grid
        whole = self.layout is Layout.PADDED or self._same_units
        if not (isinstance(self.writer, ZarrWriter) and whole):
            return CellLayout(box, widths)
        stop = tuple(-(-hi // width) * width for hi, width in zip(box.stop, widths, strict=True))
        return CellLayout(Box(box.start, stop), widths)

    @property
    def _same_units(self) -> bool:
        return self.layout is Layout.VIEW and self.reader.grid == self.writer.grid
