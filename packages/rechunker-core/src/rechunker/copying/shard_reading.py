"""Shard readers: of a shard, its index and the inner chunks that are needed are read, no more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from math import prod
from operator import add, mul
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rechunker.copying.codecs import Piece, ShardCodec, ShardRun, shard_runs
from rechunker.copying.errors import error_at
from rechunker.copying.lanes import Lane, Lanes
from rechunker.copying.reading import Put, ZarrReader, counts_in, cover
from rechunker.copying.stored_array import StoredArray
from rechunker.metadata.document import Shape
from rechunker.planning import Box, block
from rechunker.stores import access, fetch_part, is_quick, reads_parts

__all__ = ["ShardReader"]

Index = tuple[int, ...]

# Bytes between two inner chunks up to which reading them as well takes less time than a request of
# its own: on a disk of this machine, and elsewhere.
_GAP, _REMOTE_GAP = 1 << 17, 1 << 20
# Most bytes that one request reads, and the part of the memory limit that the requests of a task
# may take for several inner chunks at once.
_AT_ONCE = 1 << 22
_SHARE = 32


class _Opened(NamedTuple):
    """The inner chunks that are needed of the shard at an index, and there."""

    at: Index
    numbers: npt.NDArray[np.int64]
    ranges: npt.NDArray[np.uint64]


@dataclass(frozen=True)
class ShardReader(ZarrReader):
    """Reads the inner chunks of shards as byte ranges.

    Parameters
    ----------
    array
        The array.
    at_once
        Most bytes that one request reads, unless a single inner chunk takes more.
    """

    at_once: int = 0

    @classmethod
    def of(cls, array: StoredArray) -> ShardReader | None:
        """Return the reader of an array; None if its shards can only be read whole."""
        is_direct = isinstance(array.codec, ShardCodec)
        return cls(array) if is_direct and reads_parts(array.store) else None

    def within(self, max_mem: int, concurrency: int) -> ShardReader:
        """Return a reader of as many inner chunks at once as a task has memory for.

        Parameters
        ----------
        max_mem
            Memory limit per task in bytes.
        concurrency
            Number of reads that a task has in flight.
        """
        share = max_mem // (_SHARE * concurrency)
        return replace(self, at_once=min(_AT_ONCE, share, self.codec.largest_bytes))

    @property
    def codec(self) -> ShardCodec:
        assert isinstance(self.array.codec, ShardCodec)
        return self.array.codec

    @property
    def inner(self) -> Shape:
        """Shape of an inner chunk."""
        return self.codec.inner.shape

    @property
    def read_bytes(self) -> int:
        """Peak memory of one read, in bytes."""
        return self.codec.bytes_to_read(self.at_once)

    @property
    def gap(self) -> int:
        """Most bytes that are read without need, to save a request."""
        return min(self.at_once, _GAP if is_quick(self.array.store) else _REMOTE_GAP)

    def planned(self, box: Box) -> tuple[int, int]:
        shards, _ = super().planned(box)
        chunks = prod(counts_in(self.inner, box))
        return shards + chunks, cover(self.array.shape, self.inner, box) * self.array.itemsize

    def each(self, units: Iterable[Index], box: Box, lanes: Lanes, put: Put) -> None:
        """Read parts of shards: all lanes share the inner chunks of as many shards as there are."""
        rest = iter(units)
        while group := list(islice(rest, lanes.number)):
            opened: list[_Opened] = []

            def open_(index: Index, lane: Lane, opened: list[_Opened] = opened) -> None:
                with error_at(lambda: self.locate(index)):
                    shard, blanks = self._open(index, box, lane)
                    opened.append(shard)
                    for start, data in blanks:
                        put(start, data, lane)

            def read(item: tuple[Index, ShardRun], lane: Lane) -> None:
                with error_at(lambda: self.locate(item[0])):
                    for start, data in self._read(*item, lane):
                        put(start, data, lane)

            lanes.each(group, open_)
            lanes.each(chain.from_iterable(map(self._runs, opened)), read)

    def pieces(self, index: Index, box: Box, lane: Lane) -> Iterator[Piece]:
        shard, blanks = self._open(index, box, lane)
        yield from blanks
        for item in self._runs(shard):
            yield from self._read(*item, lane)

    def _open(self, index: Index, box: Box, lane: Lane) -> tuple[_Opened, Iterable[Piece]]:
        """Read the index of a shard; return also pieces of what is missing."""
        array, codec, origin = self.array, self.codec, self._origin(index)
        part = array.needed(index, box)
        assert part is not None
        numbers = codec.numbers(part)
        lane.count(bytes_read=cover(self._extent(index), self.inner, part) * array.itemsize)
        stored = self._stored_index(index, lane)
        if stored is None:
            lane.count(missing=numbers.size)
            nothing = _Opened(index, numbers[:0], codec.index.all_missing()[:0])
            return nothing, [(origin, array.blank_unit)]
        ranges = codec.index.parse(stored)[numbers]
        missing = codec.index.are_missing(ranges)
        lane.count(missing=int(np.count_nonzero(missing)))
        blanks = ((_moved(codec.first(n), origin), codec.blank) for n in numbers[missing].tolist())
        return _Opened(index, numbers[~missing], ranges[~missing]), blanks

    def _stored_index(self, index: Index, lane: Lane) -> npt.NDArray[np.uint8] | None:
        """Return the index of a shard as it is stored; None if the shard is missing."""
        array, codec = self.array, self.codec
        if array.is_known_missing(index):
            lane.count(missing=1)
            return None
        lane.count(gets=1)
        start, size = 0 if codec.index.is_first else None, codec.index.nbytes
        found = fetch_part(array.store, array.key(index), start, size, lane.encoded)
        if found is None:
            array.confirm_missing(index, lane)
            return None
        lane.count(stored_read=found.size)
        return found

    def _runs(self, shard: _Opened) -> Iterator[tuple[Index, ShardRun]]:
        for run in shard_runs(shard.numbers, shard.ranges, self.at_once, self.gap):
            yield shard.at, run

    def _read(self, index: Index, run: ShardRun, lane: Lane) -> Iterator[Piece]:
        lane.count(gets=1, joined=len(run.chunks) - 1)
        found, origin = self._fetch(index, run, lane), self._origin(index)
        lane.count(stored_read=found.size)
        for number, first, size in run.chunks:
            encoded = found[first : first + size]
            if encoded.size < size:
                raise ValueError(_beyond(run.start + first, size, run.start + found.size))
            start, data = self.codec.piece(number, encoded, lane.decoded)
            yield _moved(start, origin), data

    def _fetch(self, index: Index, run: ShardRun, lane: Lane) -> npt.NDArray[np.uint8]:
        """Return the bytes of a run, fewer if the shard ends before."""
        store, key = self.array.store, self.array.key(index)
        if run.size > max(self.at_once, self.codec.inner.stored_bytes):
            # No encoder makes so much of a chunk. Do not ask for memory for what is not there.
            (size,) = access.sizes(store, [key])
            if size is not None and run.start + run.size > size:
                raise ValueError(_beyond(run.start, run.size, size))
        if not run.size:
            return np.empty(0, np.uint8)
        found = fetch_part(store, key, run.start, run.size, lane.encoded)
        if found is None:
            raise FileNotFoundError("the shard is gone, although its index was read")
        return found

    def _origin(self, index: Index) -> Index:
        return tuple(map(mul, index, self.array.unit))

    def _extent(self, index: Index) -> Index:
        """Return the shape of the part of a shard that lies in the array."""
        return block(self.array.shape, self.array.unit, index).shape


def _moved(start: Index, origin: Index) -> Index:
    return tuple(map(add, start, origin))


def _beyond(offset: int, size: int, end: int) -> str:
    return (
        f"the index says that it takes {size} bytes from byte {offset} on, but the shard has {end} "
        "bytes"
    )
