"""Blanks: of a source that is mostly missing, only what is stored costs anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rechunker.copying.lanes import Lane
from rechunker.copying.reading import Reader, ZarrReader
from rechunker.copying.scatter import CellLayout
from rechunker.planning import Box, block

__all__ = ["Held"]


@dataclass(frozen=True)
class Held:
    """What is stored of a box, where most units that meet the box are known to be missing.

    Parameters
    ----------
    box
        Box of a task.
    blank
        Value of all other elements, without axes.
    units
        Indices of the units that are stored.
    parts
        The part of each of them that lies in the box.
    missing
        Number of reads of what is missing.
    nbytes
        Decoded bytes of these.
    """

    box: Box
    blank: npt.NDArray[Any]
    units: tuple[tuple[int, ...], ...]
    parts: tuple[Box, ...]
    missing: int
    nbytes: int

    @classmethod
    def of(cls, reader: Reader, box: Box) -> Held | None:
        """Return what is stored of a box; None if that is most of it, or unknown.

        Parameters
        ----------
        reader
            Where the elements come from.
        box
            Box of a task.
        """
        if not isinstance(reader, ZarrReader) or not box.size or not reader.array.may_be_blank:
            return None
        source = reader.array
        region = source.objects_in(box)
        stored = source.stored_objects()[region]
        if 2 * np.count_nonzero(stored) > stored.size:
            return None
        first = [part.start for part in region]
        units = tuple(tuple(index) for index in (np.argwhere(stored) + first).tolist())
        blocks = [block(source.shape, source.unit, index) for index in units]
        parts = tuple(unit & box for unit in blocks)
        blank = np.asarray(source.blank, source.dtype)
        reads, nbytes = reader.planned(box)
        for part in parts:
            less, fewer = reader.planned(part)
            reads, nbytes = reads - less, nbytes - fewer
        return cls(box, blank, units, parts, reads, nbytes)

    @property
    def values(self) -> npt.NDArray[Any]:
        """The box, as if nothing of it were stored; without memory of its own."""
        return np.broadcast_to(self.blank, self.box.shape)

    def count(self, lane: Lane, *, sums: bool) -> None:
        """Count what is missing, and add up its values.

        Parameters
        ----------
        lane
            Any lane of the task.
        sums
            Whether to add up.
        """
        lane.count(missing=self.missing, bytes_read=self.nbytes)
        if sums:
            lane.add_up(self.box.start, self.values, self.box)
            for part in self.parts:  # whose values are added up when they are read
                lane.add_up(part.start, np.broadcast_to(self.blank, part.shape), part, times=-1)

    def touched(self, layout: CellLayout) -> list[Box]:
        """Return the cells that hold something that is stored."""
        return list(dict.fromkeys(cell for part in self.parts for cell in layout.cells(part)))
