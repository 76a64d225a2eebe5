"""Temporary objects: one per task, with the cells of its box back to back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from zarr.abc.store import ByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.storage import StorePath

from rechunker.copying.appended import Appended
from rechunker.copying.blanks import Held
from rechunker.copying.buffers import Cells
from rechunker.copying.checksums import CHECKSUM_BYTES, ChecksumError, Checksums
from rechunker.copying.codecs import CellCodec, Piece
from rechunker.copying.errors import error_at
from rechunker.copying.lanes import Lane, Lanes
from rechunker.copying.reading import Reader
from rechunker.copying.scatter import CellLayout
from rechunker.planning import Box, Grid, block, counts
from rechunker.scratch import Scratch
from rechunker.stores import StageJournal, access

__all__ = ["TempObjects", "TempReader", "TempWriter", "spill"]

_LENGTH = np.dtype("<u8")
# Bytes of a cell on average from which on it is read past the system's cache. Smaller ones take
# more time as requests to the disk than as copies.
_UNCACHED_CELL = 1 << 16


@dataclass(frozen=True)
class TempObjects:
    """The objects that the tasks of one stage write and the tasks of the next stage read.

    An object holds the cells of one box (its overlaps with the boxes of the next stage) in C
    order, each with its checksum behind it. The offset of a raw cell is arithmetic. Encoded cells
    are followed by their lengths (checksums included), 8 bytes each, little-endian.

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

    @property
    def checksums(self) -> Checksums:
        return Checksums(self.prefix)

    def layout(self, box: Box) -> CellLayout:
        """Return the layout of the object that holds a box."""
        return CellLayout(box, self.grid, CHECKSUM_BYTES)

    def uncached(self, layout: CellLayout) -> bool:
        """Return whether an object is written, and read, past the system's cache."""
        return layout.box.size * self.dtype.itemsize >= _UNCACHED_CELL * layout.count

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
    return float(copies) if codec is None else 1.05 * (1 + copies)


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
    def store(self) -> Store:
        return self.objects.store

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
        return self.objects.layout(box)

    def padded_layout(self, box: Box) -> CellLayout:
        return self.layout(box)

    def keys(self, task: int, box: Box) -> Iterator[str]:
        yield self.objects.key(task)

    def write(self, task: int, cells: Cells, lanes: Lanes, held: Held | None = None) -> None:
        key = StorePath(self.objects.store, self.objects.key(task))
        with error_at(lambda: f"temporary object {key}"):
            lanes.each([task], lambda task, lane: self._store(task, cells, lane))

    def leaves_out(self, value: npt.NDArray[Any]) -> bool:
        return False

    def _store(self, task: int, cells: Cells, lane: Lane) -> None:
        objects = self.objects
        key, layout = objects.key(task), cells.layout
        if objects.codec is None:
            assert cells.raw is not None  # variable-length elements have a codec
            self._seal(task, layout, cells.raw)
            size = cells.raw.size
            access.put_reused(objects.store, key, cells.raw, uncached=objects.uncached(layout))
        else:
            encoded = self._encoded(task, cells, objects.codec, lane.encoded)
            size = encoded.size
            access.put_reused(objects.store, key, encoded)
        written = layout.box.size * objects.itemsize
        lane.count(puts=1, bytes_written=written, stored_written=size)

    def _seal(self, task: int, layout: CellLayout, raw: npt.NDArray[np.uint8]) -> None:
        """Put the checksum of each raw cell behind it."""
        checksums, item, first = self.objects.checksums, self.objects.dtype.itemsize, 0
        for position, cell in enumerate(layout.cells()):
            stop = first + cell.size * item
            checksum = checksums.extend(checksums.start(task, position), raw[first:stop])
            first = stop + CHECKSUM_BYTES
            raw[stop:first] = np.frombuffer(checksums.field(checksum), np.uint8)

    def _encoded(
        self, task: int, cells: Cells, codec: CellCodec, scratch: Scratch
    ) -> npt.NDArray[np.uint8]:
        """Return encoded cells with their checksums, and the lengths of all."""
        checksums, lengths, layout = self.objects.checksums, [], cells.layout
        # Parts of a list, to be joined, would leave holes in the heap. Memory that nothing is
        # written to takes no room, so this may be more than is needed.
        room = int(1.02 * layout.box.size * self.objects.itemsize) + 512 * layout.count
        encoded = Appended(scratch.take(room))
        for position, cell in enumerate(layout.cells()):
            part = np.frombuffer(codec.encode(cells.cell(cell)), np.uint8)
            checksum = checksums.extend(checksums.start(task, position), part)
            encoded.append(part)
            encoded.append(np.frombuffer(checksums.field(checksum), np.uint8))
            lengths.append(part.size + CHECKSUM_BYTES)
        encoded.append(np.array(lengths, _LENGTH).view(np.uint8))
        return encoded.whole


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

    def locate(self, index: tuple[int, ...]) -> str:
        objects = self.objects
        key = objects.key(self._task(index))
        return f"cell {index} in the temporary object {StorePath(objects.store, key)}"

    def _task(self, index: tuple[int, ...]) -> int:
        """Return the number of the task that owns a box of the stage before."""
        number = counts(self.objects.shape, self.objects.boxes)
        return int(np.ravel_multi_index(index, number)) if index else 0

    def pieces(self, index: tuple[int, ...], box: Box, lane: Lane) -> Iterator[Piece]:
        objects = self.objects
        task = self._task(index)
        layout = objects.layout(block(objects.shape, objects.boxes, index))
        cell = layout.box & box
        lane.count(bytes_read=cell.size * objects.itemsize)
        try:
            if objects.codec is None:
                yield from self._raw(task, layout, cell, lane)
            else:
                yield cell.start, self._encoded(objects.codec, task, layout, cell, lane)
        except (ChecksumError, EOFError, FileNotFoundError):
            if objects.journal is not None:
                objects.journal.set_lost(task)
            raise

    def _raw(self, task: int, layout: CellLayout, cell: Box, lane: Lane) -> Iterator[Piece]:
        """Yield a cell in slabs along its first axis; check it before the last of them."""
        objects = self.objects
        item, checksums = objects.dtype.itemsize, objects.checksums
        rows, *others = cell.shape or (1,)
        row = prod(others) * item
        step = rows if self.slab is None else max(1, self.slab // row)
        sizes = [min(step, rows - first) * row for first in range(0, rows, step)]
        lane.count(gets=1, stored_read=cell.size * item + CHECKSUM_BYTES)
        checksum = checksums.start(task, layout.position(cell))
        start = layout.byte_offset(cell, item)
        sizes[-1] += CHECKSUM_BYTES
        uncached = objects.uncached(layout)
        for number, part in enumerate(self._parts(task, start, sizes, uncached, lane)):
            is_last = number == len(sizes) - 1
            slab = part[:-CHECKSUM_BYTES] if is_last else part
            checksum = checksums.extend(checksum, slab)
            if is_last:
                checksums.check(checksum, part[-CHECKSUM_BYTES:].tobytes())
            shape = (slab.size // row, *others) if cell.shape else ()
            first = (cell.start[0] + number * step, *cell.start[1:]) if cell.shape else ()
            yield first, slab.view(objects.dtype).reshape(shape)

    def _parts(
        self, task: int, start: int, sizes: list[int], uncached: bool, lane: Lane
    ) -> Iterator[npt.NDArray[np.uint8]]:
        key, store = self.objects.key(task), self.objects.store
        try:
            yield from access.fetch_range(store, key, start, sizes, lane.decoded, uncached=uncached)
        except FileNotFoundError:
            raise self.objects.missing(key) from None

    def _encoded(
        self, codec: CellCodec, task: int, layout: CellLayout, cell: Box, lane: Lane
    ) -> npt.NDArray[Any]:
        checksums, footer_bytes = self.objects.checksums, layout.count * _LENGTH.itemsize
        footer = self._get(task, SuffixByteRequest(footer_bytes), footer_bytes, lane)
        lengths, position = footer.view(_LENGTH), layout.position(cell)
        first, stop = (int(lengths[:n].sum()) for n in (position, position + 1))
        stored = self._get(task, RangeByteRequest(first, stop), stop - first, lane)
        encoded, field = stored[:-CHECKSUM_BYTES], stored[-CHECKSUM_BYTES:].tobytes()
        checksums.check(checksums.extend(checksums.start(task, position), encoded), field)
        return codec.decode(encoded, cell.shape, lane.decoded)

    def _get(self, task: int, part: ByteRequest, size: int, lane: Lane) -> npt.NDArray[np.uint8]:
        key = self.objects.key(task)
        found = access.get_range(self.objects.store, key, part, size)
        if found is None:
            raise self.objects.missing(key)
        lane.count(gets=1, stored_read=len(found))
        return np.asarray(found.as_numpy_array()).view(np.uint8)
