"""Writers: where the tasks of a stage write to, each object whole and by one task alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import floordiv
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from zarr.abc.store import Store

from rechunker.copying.blanks import Held
from rechunker.copying.buffers import Cells
from rechunker.copying.codecs import ShardCodec
from rechunker.copying.errors import error_at
from rechunker.copying.fill_values import holds_only
from rechunker.copying.lanes import Lane, Lanes
from rechunker.copying.scatter import CellLayout
from rechunker.copying.stored_array import StoredArray
from rechunker.planning import Box, blocks_meeting
from rechunker.stores import access

__all__ = ["Writer", "ZarrWriter"]


class Writer(Protocol):
    """Where the boxes of a stage go.

    Attributes
    ----------
    store
        Store that the objects are written to.
    grid
        Grid of the cells that a box consists of; widths in elements.
    packed
        Whether the cells of a box must lie back to back in one piece of memory.
    spills
        Whether writing a box takes memory besides the box.
    place_bytes
        Bytes that a write takes of `Lane.written` before any other memory; 0 if it takes none.
    blank
        Value of elements beyond the end of the array.
    """

    @property
    def store(self) -> Store: ...
    @property
    def grid(self) -> tuple[int, ...]: ...
    @property
    def packed(self) -> bool: ...
    @property
    def spills(self) -> bool: ...
    @property
    def place_bytes(self) -> int: ...
    @property
    def blank(self) -> npt.NDArray[Any]: ...

    def layout(self, box: Box) -> CellLayout:
        """Return the cells of a box, cut off at the end of the array."""
        ...

    def padded_layout(self, box: Box) -> CellLayout:
        """Return the cells of a box as they are stored: whole, if they are padded."""
        ...

    def keys(self, task: int, box: Box) -> Iterator[str]:
        """Yield the keys of the objects that hold the box of a task, unless they are left out."""
        ...

    def write(self, task: int, cells: Cells, lanes: Lanes, held: Held | None = None) -> None:
        """Write the box of a task.

        Parameters
        ----------
        task
            Number of the task.
        cells
            The cells of its box.
        lanes
            Lanes of the task.
        held
            What of the box was stored in the source, if that is little and known.
        """
        ...

    def leaves_out(self, value: npt.NDArray[Any]) -> bool:
        """Return whether cells that hold a value alone are left out, without a request."""
        ...


@dataclass(frozen=True)
class ZarrWriter:
    """Writes the stored objects (chunks, or shards) of a Zarr array.

    Parameters
    ----------
    array
        The array; its metadata need not be in the store yet.
    write_empty
        Whether to store chunks that hold the fill value alone.
    """

    array: StoredArray
    write_empty: bool = False

    @property
    def store(self) -> Store:
        return self.array.store

    @property
    def grid(self) -> tuple[int, ...]:
        return self.array.unit

    @property
    def packed(self) -> bool:
        return False

    @property
    def spills(self) -> bool:
        return True

    @property
    def place_bytes(self) -> int:
        codec = self.array.codec
        return codec.largest_bytes if isinstance(codec, ShardCodec) else 0

    @property
    def blank(self) -> npt.NDArray[Any]:
        return self.array.blank

    def layout(self, box: Box) -> CellLayout:
        return CellLayout(box, self.grid)

    def padded_layout(self, box: Box) -> CellLayout:
        bounds = zip(box.stop, self.grid, strict=True)
        stop = tuple(-(-hi // width) * width for hi, width in bounds)
        return CellLayout(Box(box.start, stop), self.grid)

    def keys(self, task: int, box: Box) -> Iterator[str]:
        return map(self.array.key, blocks_meeting(self.array.shape, self.grid, box))

    def write(self, task: int, cells: Cells, lanes: Lanes, held: Held | None = None) -> None:
        def store(cell: Box, lane: Lane) -> None:
            index = tuple(map(floordiv, cell.start, self.grid))
            with error_at(lambda: self.array.locate(index)):
                self._store(index, cells, cell, lane)

        if held is None or not self.leaves_out(held.blank):
            lanes.each(cells.layout.cells(), store)
            return
        touched = held.touched(cells.layout)
        lanes.first.count(empty=cells.layout.count - len(touched))
        lanes.each(touched, store)

    def leaves_out(self, value: npt.NDArray[Any]) -> bool:
        return self._is_left_out(value.reshape(1)) and self.array.can_leave_out

    def _store(self, index: tuple[int, ...], cells: Cells, cell: Box, lane: Lane) -> None:
        array = self.array
        chunk = self._whole(cells.cell(cell))
        if self._is_left_out(chunk):
            array.discard(index, lane)
            return
        part = array.needed(index)
        extent = None if part is None else part.shape
        encoded = array.codec.encode(
            chunk, lane.written, extent=extent, write_empty=self.write_empty
        )
        lane.count(puts=1, bytes_written=array.nbytes(index), stored_written=len(encoded))
        raw = encoded.as_numpy_array()
        if lane.written.holds(raw) or np.may_share_memory(raw, chunk):
            access.put_reused(array.store, array.key(index), raw.view(np.uint8))
        else:
            access.put(array.store, array.key(index), encoded)

    def _is_left_out(self, chunk: npt.NDArray[Any]) -> bool:
        fill = self.array.fill_value
        return not self.write_empty and fill is not None and holds_only(chunk, fill)

    def _whole(self, part: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return a contiguous chunk of full size that starts with `part`."""
        if part.shape == self.grid and part.flags.c_contiguous:
            return part
        chunk = np.empty(self.grid, part.dtype)
        if part.shape != self.grid:
            chunk[...] = self.blank
        chunk[tuple(slice(0, n) for n in part.shape)] = part
        return chunk
