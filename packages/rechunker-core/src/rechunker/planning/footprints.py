"""Footprints and layouts: how a task holds its box in memory, and the bytes that this takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["LAYOUTS", "Footprint", "Layout", "StageSizes", "smallest_layout"]

Numbers: TypeAlias = npt.NDArray[Any]
"""One number per candidate plan: float64 in the search, exact integers for the chosen plan."""


class Layout(Enum):
    """How a task holds its box in memory.

    Attributes
    ----------
    PACKED
        One buffer of the size of the box: the units that the task writes, back to back, clipped to
        the end of the array.
    PADDED
        One buffer of whole target units, padded beyond the end of the array, so that no unit has
        to be copied before it is encoded. Only in the last stage.
    VIEW
        No buffer of its own: the task writes straight from the single unit or cell it read.
    """

    PACKED = "packed"
    PADDED = "padded"
    VIEW = "view"


@dataclass(frozen=True)
class Footprint:
    """Memory that one task needs besides its box.

    A unit is what is read or written as a whole: a chunk, or a shard if the array has shards.

    Parameters
    ----------
    read
        Bytes held while one source unit is read: the encoded unit and the decoded unit.
    unit
        Bytes of one decoded source unit if the task can write straight from it (`Layout.VIEW`);
        None if it cannot.
    write
        Bytes of one encoded target unit, held while it is written.
    pad
        Bytes of one decoded target unit padded to its full shape; needed for units that reach
        beyond the end of the array.
    spill
        Memory held besides the box while a temporary object is written, as a fraction of the box.
    concurrency
        Number of reads, or of writes, that one task has in flight at the same time, 1 or more. A
        box that meets fewer units has fewer.
    checksum
        Bytes of the checksum that is stored with each cell of a temporary object.
    kept
        Bytes that an encoder freed and that the C library keeps for its thread: they are held
        while the next box is read.
    trim
        Decoded bytes read and written after which a task gives back what was freed; None if it does
        not.
    cell
        Memory held while a cell is read, as a multiple of the cell, 1 or more.
    encode
        Memory held besides box and `spill` while a cell is encoded, as a multiple of the cell.
    parts
        Number of temporary objects that a task may write its cells to, at the same time.

    Raises
    ------
    ValueError
        If `concurrency` is less than 1 or another parameter is negative.

    Examples
    --------
    >>> footprint = Footprint.of_units(source=1000, target=400)
    >>> footprint.read, footprint.unit, footprint.write, footprint.pad
    (2000, 1000, 400, 400)
    """

    read: int
    unit: int | None
    write: int
    pad: int
    spill: float = 0.0
    concurrency: int = 1
    checksum: int = 0
    kept: int = 0
    trim: int | None = None
    cell: float = 1.0
    encode: float = 0.0
    parts: int = 1

    def __post_init__(self) -> None:
        sizes = (self.read, self.unit or 0, self.write, self.pad, self.checksum, self.trim or 0)
        if (
            min(*sizes, self.spill, self.kept, self.encode) < 0
            or min(self.concurrency, self.cell, self.parts) < 1
        ):
            raise ValueError(
                "read, unit, write, pad, checksum, spill, kept, trim and encode must be 0 or more "
                f"and concurrency, cell and parts 1 or more, got {self}"
            )

    @classmethod
    def of_units(cls, source: int, target: int) -> Footprint:
        """Return the footprint for units that do not compress.

        Parameters
        ----------
        source
            Decoded bytes of one source unit.
        target
            Decoded bytes of one target unit.
        """
        return cls(read=2 * source, unit=source, write=target, pad=target)


class StageSizes(NamedTuple):
    """Sizes of one stage that determine the memory of its tasks, for many candidate plans.

    Parameters
    ----------
    box
        Bytes of the largest box.
    padded_box
        Bytes of the largest box of the last stage, rounded up to whole target units.
    cell
        Bytes of the largest cell between the previous stage and this one.
    next_cell
        Bytes of the largest cell between this stage and the next; 0 in the last stage.
    pieces
        Largest number of cells that a box is written as.
    met
        Largest number of source units, or cells, that a box is read from.
    units
        Largest number of target units in a box of the last stage.
    single_read
        Whether every task reads exactly one unit or cell.
    first, last
        Whether this is the first stage, and whether it is the last.
    partial_edges
        Whether some target units reach beyond the end of the array.
    same_units
        Whether decoded source units are equal to target units.
    """

    box: Numbers
    padded_box: Numbers
    cell: Numbers
    next_cell: Numbers | int
    pieces: Numbers
    met: Numbers
    units: Numbers
    single_read: npt.NDArray[np.bool_]
    first: bool
    last: bool
    partial_edges: bool
    same_units: bool


LAYOUTS = (Layout.PACKED, Layout.PADDED, Layout.VIEW)  # of equally small ones the first is taken


def smallest_layout(
    sizes: StageSizes, footprint: Footprint
) -> tuple[Numbers, npt.NDArray[np.intp]]:
    """Return the peak bytes of one task in its smallest layout, and that layout's index."""
    fetch = footprint.read + 0 * sizes.box if sizes.first else _cell_bytes(sizes, footprint)
    least = _packed(sizes, fetch, footprint)
    chosen = np.zeros(least.shape, dtype=np.intp)
    for index, layout in enumerate((_padded, _view), start=1):
        peak = layout(sizes, fetch, footprint)
        if peak is not None:
            less = np.asarray(peak < least, dtype=np.bool_)
            least, chosen = np.where(less, peak, least), np.where(less, index, chosen)
    return least, chosen


def _packed(sizes: StageSizes, fetch: Numbers, footprint: Footprint) -> Numbers:
    if sizes.last:
        store = footprint.write + (footprint.pad if sizes.partial_edges else 0)
        extra = _in_flight(sizes, fetch, store, footprint)
    else:
        extra = np.maximum(_fetched(sizes, fetch, footprint), _spill_bytes(sizes, footprint))
    return _stored_box(sizes, footprint) + extra


def _padded(sizes: StageSizes, fetch: Numbers, footprint: Footprint) -> Numbers | None:
    if not (sizes.last and sizes.partial_edges):
        return None
    return sizes.padded_box + _in_flight(sizes, fetch, footprint.write, footprint)


def _in_flight(sizes: StageSizes, fetch: Numbers, store: int, footprint: Footprint) -> Numbers:
    """Return the bytes of all reads, or of all writes, in flight in the last stage."""
    read = _fetched(sizes, fetch, footprint) + _kept(sizes, footprint)
    written: Numbers = np.minimum(footprint.concurrency, sizes.units) * store
    held: Numbers = np.maximum(read, written)
    return held


def _kept(sizes: StageSizes, footprint: Footprint) -> Numbers | int:
    """Return the bytes that encoders of the boxes before have freed, and that are still held."""
    if not footprint.kept or footprint.trim is None:
        return footprint.concurrency * footprint.kept
    # Each unit that was written has been read as well.
    since = -(-footprint.trim // max(1, 2 * footprint.pad))
    held: Numbers = np.minimum(footprint.concurrency, sizes.units + since) * footprint.kept
    return held


def _fetched(sizes: StageSizes, fetch: Numbers, footprint: Footprint) -> Numbers:
    """Return the bytes of all reads in flight."""
    held: Numbers = np.minimum(footprint.concurrency, sizes.met) * fetch
    return held


def _view(sizes: StageSizes, fetch: Numbers, footprint: Footprint) -> Numbers | None:
    if (sizes.first and footprint.unit is None) or not sizes.single_read.any():
        return None
    # A source unit is at least as large as the box that lies in it.
    unit = np.maximum(footprint.unit or 0, sizes.box) if sizes.first else sizes.cell
    if sizes.last:
        # Only an equal source unit can be encoded without a copy; a cell is not a target unit.
        copy = 0 if sizes.first and sizes.same_units else footprint.pad
        store: Numbers | int = np.minimum(footprint.concurrency, sizes.units) * (
            footprint.write + copy
        )
        fetch = fetch + _kept(sizes, footprint)
    else:
        store = _stored_box(sizes, footprint) + _spill_bytes(sizes, footprint)
    return np.where(sizes.single_read, np.maximum(fetch, unit + store), np.inf)


def _cell_bytes(sizes: StageSizes, footprint: Footprint) -> Numbers:
    """Return the bytes held while a cell of a temporary object is read, rounded up."""
    cell = sizes.cell if footprint.cell == 1 else -(-footprint.cell * sizes.cell // 1)
    held: Numbers = cell + footprint.checksum
    return held


def _spill_bytes(sizes: StageSizes, footprint: Footprint) -> Numbers | int:
    """Return the bytes held besides the box while a temporary object is written, rounded up."""
    if not footprint.spill and not footprint.encode:
        return 0
    held = footprint.spill * _stored_box(sizes, footprint) + footprint.encode * sizes.next_cell
    whole: Numbers = -(-held // 1)
    return whole


def _stored_box(sizes: StageSizes, footprint: Footprint) -> Numbers:
    """Return the bytes of a box with the checksums that a temporary object has for its cells."""
    if sizes.last:
        return sizes.box
    stored: Numbers = sizes.box + footprint.checksum * sizes.pieces
    return stored
