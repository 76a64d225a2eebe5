"""Temporary objects: what one stage writes for the next, with the cells of a box back to back."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

import numpy as np
from zarr.abc.store import Store

from rechunker.copying.checksums import CHECKSUM_BYTES, Checksums
from rechunker.copying.codecs import CellCodec
from rechunker.copying.scatter import CellLayout
from rechunker.planning import Box, Grid
from rechunker.stores import StageJournal, access

__all__ = ["LENGTH", "TempObjects", "spill"]

# Length of an encoded cell.
LENGTH = np.dtype("<u8")
# Bytes of a cell on average from which on it is read past the system's cache. Smaller ones take
# more time as requests to the disk than as copies.
_UNCACHED_CELL = 1 << 16


@dataclass(frozen=True)
class TempObjects:
    """The objects that the tasks of one stage write and the tasks of the next stage read.

    The cells of a box (its overlaps with the boxes of the next stage) lie in one object, or in
    several of about as many cells each, in C order, each with its checksum behind it. The offset of
    a raw cell is arithmetic. Encoded cells are followed by their lengths (checksums included), 8
    bytes each, little-endian.

    Parameters
    ----------
    store
        Any Zarr store.
    prefix
        Key of the objects without their number.
    shape
        Elements of the array along every axis.
    boxes, grid
        Task grids of the stage that writes and of the stage that reads.
    dtype
        Dtype of the elements.
    codec
        Encodes cells; None for raw cells, stored as they lie in memory.
    itemsize
        Bytes of one decoded element; an estimate for variable-length elements.
    journal
        Journal of the stage that writes them; None if there is none.
    parts
        Number of objects that a box is stored in, unless it has fewer cells.
    """

    store: Store
    prefix: str
    shape: tuple[int, ...]
    boxes: Grid
    grid: tuple[int, ...]
    dtype: np.dtype[Any]
    codec: CellCodec | None
    itemsize: int
    journal: StageJournal | None = None
    parts: int = 1

    @property
    def checksums(self) -> Checksums:
        return Checksums(self.prefix)

    def layout(self, box: Box) -> CellLayout:
        """Return the layout of the object that holds a box."""
        return CellLayout(box, self.grid, CHECKSUM_BYTES)

    def uncached(self, layout: CellLayout) -> bool:
        """Return whether an object is written, and read, past the system's cache."""
        return layout.box.size * self.dtype.itemsize >= _UNCACHED_CELL * layout.count

    def number_of_parts(self, layout: CellLayout) -> int:
        """Return the number of objects that a box is stored in."""
        return min(self.parts, layout.count)

    def bounds(self, layout: CellLayout) -> list[int]:
        """Return the positions of the first cells of all parts, and the number of all cells."""
        number = self.number_of_parts(layout)
        return [part * layout.count // number for part in range(number + 1)]

    def key(self, task: int, part: int) -> str:
        """Return the store key of a part of what a task writes."""
        return f"{self.prefix}/{task}" if self.parts == 1 else f"{self.prefix}/{task}.{part}"

    def find(self, task: int, layout: CellLayout, cell: Box) -> tuple[str, int]:
        """Return the key of the object that a raw cell lies in, and its first byte there."""
        bounds, item = self.bounds(layout), self.dtype.itemsize
        part = bisect_right(bounds, layout.position(cell)) - 1
        before = layout.byte_offset(layout.cell_at(bounds[part]), item) if part else 0
        return self.key(task, part), layout.byte_offset(cell, item) - before

    def missing(self, key: str) -> FileNotFoundError:
        """Return the error to raise where an object is not in the store."""
        return FileNotFoundError(
            f"temporary object {key!r} is not in {self.store}: something removed it while "
            "rechunking; run execute() again"
        )


def spill(store: Store, codec: CellCodec | None) -> float:
    """Return the memory that storing a box takes besides the box, as a fraction of the box."""
    copies = access.copies(store)
    return float(copies) if codec is None else 1.05 * (1 + copies)
