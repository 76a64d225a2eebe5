"""Readers: where the tasks of a stage read from, one unit at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from operator import add, mul
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import zarr
from zarr.abc.store import Store

from rechunker.copying.codecs import Piece
from rechunker.copying.errors import error_at
from rechunker.copying.lanes import Lane, Lanes
from rechunker.copying.stored_array import StoredArray
from rechunker.planning import Box, Grid, block
from rechunker.stores import access, check_unchanged, identity_of, retried

__all__ = ["Put", "Reader", "RegionReader", "ZarrReader", "counts_in", "cover"]

Put: TypeAlias = Callable[[tuple[int, ...], npt.NDArray[Any], Lane], None]
"""Takes a piece, and the lane that has read it."""


class Reader(Protocol):
    """An array that is read unit by unit; derive from it to get the defaults.

    Attributes
    ----------
    grid
        Grid of the units.
    dtype
        Dtype of the elements that are read.
    identity
        Text that differs between two readers of different data.
    store
        Store that the units are read from; None by default, for data that come from elsewhere.
    stored
        Zarr array whose stored objects are the units; None by default.
    holds_futures
        Whether units are futures on a cluster, which only the cluster's own engine can read;
        false by default.
    place_bytes
        Most bytes that a read takes of `Lane.decoded` if it takes no other memory; by default None,
        for reads that do.
    """

    @property
    def grid(self) -> Grid: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def identity(self) -> str: ...

    @property
    def store(self) -> Store | None:
        return None

    @property
    def stored(self) -> StoredArray | None:
        return None

    @property
    def holds_futures(self) -> bool:
        return False

    @property
    def place_bytes(self) -> int | None:
        return None

    def locate(self, index: tuple[int, ...]) -> str:
        """Describe the unit at `index`, for errors."""
        return f"block {index} of {self!r}"

    def pieces(self, index: tuple[int, ...], box: Box, lane: Lane) -> Iterator[Piece]:
        """Read the unit at `index`, or at least the part of it that lies in `box`.

        Yields
        ------
        Piece
            Together they hold every element of the unit that lies in the array and in `box`;
            they may hold more.
        """
        ...

    def each(self, units: Iterable[tuple[int, ...]], box: Box, lanes: Lanes, put: Put) -> None:
        """Read the pieces of units that lie in a box, by all lanes of a task.

        Parameters
        ----------
        units
            Indices of the units.
        box
            Box of the task.
        lanes
            Lanes of the task.
        put
            Called for each piece.
        """

        def read(index: tuple[int, ...], lane: Lane) -> None:
            with error_at(lambda: self.locate(index)):
                for start, data in self.pieces(index, box, lane):
                    put(start, data, lane)

        lanes.each(units, read)


@dataclass(frozen=True)
class ZarrReader(Reader):
    """Reads the stored objects (chunks, or shards) of a Zarr array.

    Parameters
    ----------
    array
        The array.
    """

    array: StoredArray

    @property
    def grid(self) -> Grid:
        return self.array.unit

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def identity(self) -> str:
        return self.array.metadata

    @property
    def store(self) -> Store:
        return self.array.store

    @property
    def stored(self) -> StoredArray:
        return self.array

    def locate(self, index: tuple[int, ...]) -> str:
        return self.array.locate(index)

    def planned(self, box: Box) -> tuple[int, int]:
        """Return the number of reads that a box takes, and their decoded bytes."""
        array = self.array
        nbytes = cover(array.shape, array.unit, box) * array.itemsize
        return prod(counts_in(array.unit, box)), nbytes

    def pieces(self, index: tuple[int, ...], box: Box, lane: Lane) -> Iterator[Piece]:
        origin = tuple(map(mul, index, self.array.unit))
        for start, part in self._parts(index, box, lane):
            yield tuple(map(add, origin, start)), part

    def _parts(self, index: tuple[int, ...], box: Box, lane: Lane) -> Iterator[Piece]:
        array = self.array
        nbytes = array.nbytes(index)
        if array.is_known_missing(index):
            lane.count(missing=1, bytes_read=nbytes)
            return iter([((0,) * len(array.unit), array.blank_unit)])
        lane.count(gets=1, bytes_read=nbytes)
        encoded = access.fetch(array.store, array.key(index), lane.encoded)
        if encoded is None:
            array.confirm_missing(index, lane)
            return iter([((0,) * len(array.unit), array.blank_unit)])
        lane.count(stored_read=encoded.size)
        return array.codec.decode(encoded, lane.decoded, array.needed(index, box))


@dataclass(frozen=True)
class RegionReader(Reader):
    """Reads chunks of different sizes through Zarr's own array.

    Parameters
    ----------
    array
        An array with an irregular chunk grid.
    sizes
        Sizes of its chunks along every axis.
    digest
        Digest of its stored metadata; None if they cannot be checked.
    """

    array: zarr.Array[Any]
    sizes: Grid
    digest: str | None = None

    @property
    def grid(self) -> Grid:
        return self.sizes

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def identity(self) -> str:
        return f"{self!r} {identity_of(self.array.store_path)} {self.digest}"

    @property
    def store(self) -> Store:
        return self.array.store

    def pieces(self, index: tuple[int, ...], box: Box, lane: Lane) -> Iterator[Piece]:
        place = self.array.store_path
        lane.once((id(place.store), place.path), lambda: check_unchanged(place, self.digest))
        unit = block(self.array.shape, self.grid, index)
        part = unit.slices((0,) * len(index))
        data = np.asarray(retried(place.store, lambda: self.array[part])).reshape(unit.shape)
        lane.count(gets=1, bytes_read=data.nbytes, stored_read=data.nbytes)
        yield unit.start, data


def counts_in(unit: Sequence[int], box: Box) -> tuple[int, ...]:
    """Return the number of units that meet a box, along every axis."""
    edges = zip(box.start, box.stop, unit, strict=True)
    return tuple(-(-stop // width) - start // width for start, stop, width in edges)


def cover(shape: Sequence[int], unit: Sequence[int], box: Box) -> int:
    """Return the number of elements of the units that meet a box, as far as they lie in a shape."""
    edges = zip(shape, box.start, box.stop, unit, strict=True)
    return prod(
        min(-(-stop // width) * width, n) - start // width * width
        for n, start, stop, width in edges
    )
