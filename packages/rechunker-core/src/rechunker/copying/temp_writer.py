"""Writing of temporary objects: the box of a task, cell by cell, with checksums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from zarr.abc.store import Store
from zarr.storage import StorePath

from rechunker.copying.appended import Appended
from rechunker.copying.blanks import Held
from rechunker.copying.buffers import Cells
from rechunker.copying.checksums import CHECKSUM_BYTES
from rechunker.copying.codecs import CellCodec
from rechunker.copying.errors import error_at
from rechunker.copying.lanes import Lane, Lanes
from rechunker.copying.scatter import CellLayout
from rechunker.copying.temp_objects import LENGTH, TempObjects, spill
from rechunker.planning import Box
from rechunker.scratch import Scratch
from rechunker.stores import access

__all__ = ["TempWriter"]


@dataclass(frozen=True)
class TempWriter:
    """Writes the box of a task as temporary objects.

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
    def spills(self) -> bool:
        return spill(self.objects.store, self.objects.codec) > 0

    @property
    def place_bytes(self) -> int:
        return 0

    @property
    def blank(self) -> npt.NDArray[Any]:
        return np.zeros((), self.objects.dtype)

    def layout(self, box: Box) -> CellLayout:
        return self.objects.layout(box)

    def padded_layout(self, box: Box) -> CellLayout:
        return self.layout(box)

    def keys(self, task: int, box: Box) -> Iterator[str]:
        number = self.objects.number_of_parts(self.layout(box))
        yield from (self.objects.key(task, part) for part in range(number))

    def write(self, task: int, cells: Cells, lanes: Lanes, held: Held | None = None) -> None:
        objects = self.objects

        def store(part: tuple[int, int, int], lane: Lane) -> None:
            key = StorePath(objects.store, objects.key(task, part[0]))
            with error_at(lambda: f"temporary object {key}"):
                self._store(task, part, cells, lane)

        bounds = objects.bounds(cells.layout)
        lanes.each(((n, *pair) for n, pair in enumerate(pairwise(bounds))), store)

    def leaves_out(self, value: npt.NDArray[Any]) -> bool:
        return False

    def _store(self, task: int, part: tuple[int, int, int], cells: Cells, lane: Lane) -> None:
        """Store the cells of a part: its number, its first cell, and the first of the next part."""
        objects, layout, (number, first, stop) = self.objects, cells.layout, part
        key = objects.key(task, number)
        if objects.codec is None:
            assert cells.raw is not None  # variable-length elements have a codec
            data = self._sealed(task, layout, cells.raw, range(first, stop))
            access.put_reused(objects.store, key, data, uncached=objects.uncached(layout))
            written = data.size - (stop - first) * CHECKSUM_BYTES
        else:
            data = self._encoded(task, cells, objects.codec, lane.encoded)
            access.put_reused(objects.store, key, data)
            written = layout.box.size * objects.itemsize
        lane.count(puts=1, bytes_written=written, stored_written=data.size)

    def _sealed(
        self, task: int, layout: CellLayout, raw: npt.NDArray[np.uint8], positions: range
    ) -> npt.NDArray[np.uint8]:
        """Put the checksum of each raw cell of a part behind it, and return the part."""
        checksums, item = self.objects.checksums, self.objects.dtype.itemsize
        start = first = layout.byte_offset(layout.cell_at(positions.start), item)
        for position, cell in zip(positions, layout.cells_at(positions), strict=True):
            stop = first + cell.size * item
            checksum = checksums.extend(checksums.start(task, position), raw[first:stop])
            first = stop + CHECKSUM_BYTES
            raw[stop:first] = np.frombuffer(checksums.field(checksum), np.uint8)
        return raw[start:first]

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
        encoded.append(np.array(lengths, LENGTH).view(np.uint8))
        return encoded.whole
