"""Temporary objects: one per task, with the cells of its box back to back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from zarr.abc.buffer import Buffer
from zarr.abc.store import ByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.buffer import cpu

from rechunker.copying.buffers import Cells
from rechunker.copying.codecs import CellCodec, Piece
from rechunker.copying.lanes import Lane, Lanes
from rechunker.copying.reading import Reader
from rechunker.copying.scatter import CellLayout
from rechunker.planning import Box, Grid, block, counts
from rechunker.stores import access

__all__ = ["TempObjects", "TempReader", "TempWriter", "spill"]

_LENGTH = np.dtype("<u8")


@dataclass(frozen=True)
class TempObjects:
    """The objects that the tasks of one stage write and the tasks of the next stage read.

    An object holds the cells of one box (its overlaps with the boxes of the next stage) in C
    order. The offset of a raw cell is arithmetic. Encoded cells are followed by their lengths, 8
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
    """

    store: Store
    prefix: str
    shape: tuple[int, ...]
    boxes: Grid
    grid: tuple[int, ...]
    dtype: np.dtype[Any]
    codec: CellCodec | None
    itemsize: int

    def key(self, task: int) -> str:
        """Return the store key of the object that a task writes."""
        return f"{self.prefix}/{task}"

    def missing(self, key: str) -> FileNotFoundError:
        """Return the error to raise where an object is not in the store."""
        return FileNotFoundError(
            f"temporary object {key!r} is not in {self.store}: something removed it while "
            "rechunking; run execute() again"
        )


def spill(store: Store, codec: CellCodec | None) -> float:
    """Return the memory that storing a box takes besides the box, as a fraction of the box."""
    copies = access.copies(store)
    return 1.05 * (1 + copies) if codec is not None else float(copies)


@dataclass(frozen=True)
class TempWriter:
    """Writes the box of a task as one temporary object.

    Parameters
    ----------
    objects
        The temporary objects of the stage.
    """

    objects: TempObjects

    @property
    def grid(self) -> tuple[int, ...]:
        return self.objects.grid

    @property
    def packed(self) -> bool:
        return True

    @property
    def blank(self) -> npt.NDArray[Any]:
        return np.zeros((), self.objects.dtype)

    def layout(self, box: Box) -> CellLayout:
        return CellLayout(box, self.grid)

    def write(self, task: int, cells: Cells, lanes: Lanes) -> None:
        lanes.each([task], lambda task, lane: self._store(task, cells, lane))

    def _store(self, task: int, cells: Cells, lane: Lane) -> None:
        objects = self.objects
        key, layout = objects.key(task), cells.layout
        if objects.codec is None:
            assert cells.raw is not None  # variable-length elements have a codec
            size = cells.raw.size
            access.put_reused(objects.store, key, cells.raw)
        else:
            parts = [objects.codec.encode(cells.cell(cell)) for cell in layout.cells()]
            encoded = _with_lengths(parts)
            size = len(encoded)
            access.put(objects.store, key, encoded)
        written = layout.box.size * objects.itemsize
        lane.count(puts=1, bytes_written=written, stored_written=size)


def _with_lengths(parts: list[bytes]) -> Buffer:
    lengths = np.array([len(part) for part in parts], _LENGTH)
    return cpu.Buffer.from_bytes(b"".join([*parts, lengths.tobytes()]))


@dataclass(frozen=True)
class TempReader(Reader):
    """Reads from a temporary object the one cell that lies in the box of the reading task.

    Parameters
    ----------
    objects
        The temporary objects.
    slab
        Bytes of a raw cell to read at a time, at least one row of it; None reads the whole cell.
    """

    objects: TempObjects
    slab: int | None = None

    @property
    def grid(self) -> Grid:
        return self.objects.boxes

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.objects.dtype

    @property
    def identity(self) -> str:
        return self.objects.prefix

    @property
    def store(self) -> Store:
        return self.objects.store

    def pieces(self, index: tuple[int, ...], box: Box, lane: Lane) -> Iterator[Piece]:
        objects = self.objects
        number = counts(objects.shape, objects.boxes)
        task = int(np.ravel_multi_index(index, number)) if index else 0
        layout = CellLayout(block(objects.shape, objects.boxes, index), objects.grid)
        cell = layout.box & box
        lane.count(bytes_read=cell.size * objects.itemsize)
        if objects.codec is None:
            yield from self._raw(task, layout, cell, lane)
        else:
            yield cell.start, self._encoded(objects.codec, task, layout, cell, lane)

    def _raw(self, task: int, layout: CellLayout, cell: Box, lane: Lane) -> Iterator[Piece]:
        """Yield a cell in slabs along its first axis."""
        objects = self.objects
        item, key = objects.dtype.itemsize, objects.key(task)
        rows, *others = cell.shape or (1,)
        row = prod(others) * item
        step = rows if self.slab is None else max(1, self.slab // row)
        sizes = [min(step, rows - first) * row for first in range(0, rows, step)]
        start = layout.offset(cell) * item
        lane.count(gets=1, stored_read=cell.size * item)
        try:
            slabs = access.fetch_range(objects.store, key, start, sizes, lane.decoded)
            for number, slab in enumerate(slabs):
                shape = (slab.size // row, *others) if cell.shape else ()
                first = (cell.start[0] + number * step, *cell.start[1:]) if cell.shape else ()
                yield first, slab.view(objects.dtype).reshape(shape)
        except FileNotFoundError:
            raise objects.missing(key) from None

    def _encoded(
        self, codec: CellCodec, task: int, layout: CellLayout, cell: Box, lane: Lane
    ) -> npt.NDArray[Any]:
        footer = self._get(task, SuffixByteRequest(layout.count * _LENGTH.itemsize), lane)
        lengths, position = footer.view(_LENGTH), layout.position(cell)
        first = int(lengths[:position].sum())
        encoded = self._get(task, RangeByteRequest(first, first + int(lengths[position])), lane)
        return codec.decode(encoded, cell.shape, lane.decoded)

    def _get(self, task: int, part: ByteRequest, lane: Lane) -> npt.NDArray[np.uint8]:
        key = self.objects.key(task)
        found = access.get(self.objects.store, key, part)
        if found is None:
            raise self.objects.missing(key)
        lane.count(gets=1, stored_read=len(found))
        return np.asarray(found.as_numpy_array()).view(np.uint8)
