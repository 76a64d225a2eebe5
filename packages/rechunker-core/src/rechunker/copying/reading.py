"""Readers: what the tasks of a stage read, one unit at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import zarr

from rechunker.copying.lanes import Lane
from rechunker.copying.stored_array import StoredArray
from rechunker.planning import Box, Grid, block
from rechunker.stores import access

__all__ = ["Piece", "Reader", "RegionReader", "ZarrReader"]

Piece = tuple[tuple[int, ...], npt.NDArray[Any]]


class Reader(Protocol):
    """An array that is read unit by unit.

    Attributes
    ----------
    grid
        The units.
    dtype
        Type of the elements that are read.
    """

    @property
    def grid(self) -> Grid: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...

    def pieces(self, index: tuple[int, ...], box: Box, lane: Lane) -> Iterator[Piece]:
        """Read the unit at `index`, or of it what lies in `box`.

        Yields
        ------
        tuple of int, numpy.ndarray
            Position in the array of the first element, and elements: all that lie in the array
            and in `box`, perhaps more. They are void as soon as the next piece is asked for.
        """
        ...


@dataclass(frozen=True)
class ZarrReader:
    """Reads chunks, or shards, of a Zarr array."""

    array: StoredArray

    @property
    def grid(self) -> Grid:
        return self.array.unit

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    def pieces(self, index: tuple[int, ...], box: Box, lane: Lane) -> Iterator[Piece]:
        origin = tuple(i * width for i, width in zip(index, self.array.unit, strict=True))
        for start, part in self._parts(index, lane):
            yield tuple(o + s for o, s in zip(origin, start, strict=True)), part

    def _parts(self, index: tuple[int, ...], lane: Lane) -> Iterator[Piece]:
        array = self.array
        elements = block(array.shape, array.unit, index).size
        lane.count(gets=1, bytes_read=elements * array.itemsize)
        encoded = access.fetch(array.store, array.key(index), lane.encoded)
        if encoded is None:
            return iter([((0,) * len(array.unit), np.broadcast_to(array.blank, array.unit))])
        lane.count(stored_read=encoded.size)
        return array.codec.decode(encoded, lane.decoded)


@dataclass(frozen=True)
class RegionReader:
    """Reads chunks of different sizes through Zarr's own array.

    Parameters
    ----------
    array
        The array.
    grid
        Sizes of its chunks, one by one.
    """

    array: zarr.Array[Any]
    grid: Grid

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    def pieces(self, index: tuple[int, ...], box: Box, lane: Lane) -> Iterator[Piece]:
        unit = block(self.array.shape, self.grid, index)
        data = np.asarray(self.array[unit.slices((0,) * len(index))]).reshape(unit.shape)
        lane.count(gets=1, bytes_read=data.nbytes, stored_read=data.nbytes)
        yield unit.start, data
