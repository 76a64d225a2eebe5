"""Reading of temporary objects: the cells that lie in the box of a task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
from zarr.abc.store import ByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.storage import LocalStore, StorePath

from rechunker.copying.checksums import CHECKSUM_BYTES, ChecksumError
from rechunker.copying.codecs import CellCodec, Piece
from rechunker.copying.lanes import Lane
from rechunker.copying.reading import Reader
from rechunker.copying.scatter import CellLayout
from rechunker.copying.temp_objects import LENGTH, TempObjects
from rechunker.planning import Box, Grid, axis_widest, block, counts
from rechunker.stores import access

__all__ = ["TempReader"]


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

    @property
    def place_bytes(self) -> int | None:
        objects = self.objects
        if objects.codec is not None or type(objects.store) is not LocalStore:
            return None
        axes = zip(objects.shape, objects.boxes, objects.grid, strict=True)
        rows, *others = [min(axis_widest(n, axis), width) for n, axis, width in axes] or [1]
        row = prod(others) * objects.dtype.itemsize
        return min(rows, self._step(rows, row)) * row + CHECKSUM_BYTES

    def locate(self, index: tuple[int, ...]) -> str:
        place = StorePath(self.objects.store, f"{self.objects.prefix}/{self._task(index)}")
        return f"cell {index} in the temporary object {place}"

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
        step = self._step(rows, row)
        sizes = [min(step, rows - first) * row for first in range(0, rows, step)]
        lane.count(gets=1, stored_read=cell.size * item + CHECKSUM_BYTES)
        checksum = checksums.start(task, layout.position(cell))
        sizes[-1] += CHECKSUM_BYTES
        for number, part in enumerate(self._parts(task, layout, cell, sizes, lane)):
            is_last = number == len(sizes) - 1
            slab = part[:-CHECKSUM_BYTES] if is_last else part
            checksum = checksums.extend(checksum, slab)
            if is_last:
                checksums.check(checksum, part[-CHECKSUM_BYTES:].tobytes())
            shape = (slab.size // row, *others) if cell.shape else ()
            first = (cell.start[0] + number * step, *cell.start[1:]) if cell.shape else ()
            yield first, slab.view(objects.dtype).reshape(shape)

    def _step(self, rows: int, row: int) -> int:
        """Return how many rows of a raw cell are read at a time; a row has `row` bytes."""
        return rows if self.slab is None else max(1, self.slab // max(1, row))

    def _parts(
        self, task: int, layout: CellLayout, cell: Box, sizes: list[int], lane: Lane
    ) -> Iterator[npt.NDArray[np.uint8]]:
        objects, memory = self.objects, lane.decoded
        key, start = objects.find(task, layout, cell)
        uncached = objects.uncached(layout)
        try:
            yield from access.fetch_range(
                objects.store, key, start, sizes, memory, uncached=uncached
            )
        except FileNotFoundError:
            raise objects.missing(key) from None

    def _encoded(
        self, codec: CellCodec, task: int, layout: CellLayout, cell: Box, lane: Lane
    ) -> npt.NDArray[Any]:
        checksums, footer_bytes = self.objects.checksums, layout.count * LENGTH.itemsize
        footer = self._get(task, SuffixByteRequest(footer_bytes), footer_bytes, lane)
        lengths, position = footer.view(LENGTH), layout.position(cell)
        first, stop = (int(lengths[:n].sum()) for n in (position, position + 1))
        stored = self._get(task, RangeByteRequest(first, stop), stop - first, lane)
        encoded, field = stored[:-CHECKSUM_BYTES], stored[-CHECKSUM_BYTES:].tobytes()
        checksums.check(checksums.extend(checksums.start(task, position), encoded), field)
        return codec.decode(encoded, cell.shape, lane.decoded)

    def _get(self, task: int, part: ByteRequest, size: int, lane: Lane) -> npt.NDArray[np.uint8]:
        key = self.objects.key(task, 0)  # encoded cells of a box lie in one object
        found = access.get_range(self.objects.store, key, part, size)
        if found is None:
            raise self.objects.missing(key)
        lane.count(gets=1, stored_read=len(found))
        return np.asarray(found.as_numpy_array()).view(np.uint8)
