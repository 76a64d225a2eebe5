"""Shard codec: shards of chunks with a direct codec, encoded and decoded without Zarr."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from operator import mul
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from zarr.abc.buffer import Buffer
from zarr.buffer import cpu

from rechunker.copying.appended import Appended
from rechunker.copying.codecs.direct import DirectCodec, direct_codec
from rechunker.copying.codecs.piece import Piece
from rechunker.copying.codecs.shard_index import ShardIndex, index_of
from rechunker.copying.codecs.workspace import LARGEST_KEPT
from rechunker.copying.errors import error_at
from rechunker.copying.fill_values import holds_only
from rechunker.metadata.document import (
    Document,
    Shape,
    array_from_document,
    chunk_shapes,
    with_chunk_shape,
)
from rechunker.planning import Box, unravel
from rechunker.scratch import Scratch

__all__ = ["ShardCodec", "shard_codec"]

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ShardCodec:
    """Codec of shards, one inner chunk at a time.

    Parameters
    ----------
    inner
        Codec of the inner chunks.
    index
        How the index is stored.
    fill
        Value of missing inner chunks, without axes.
    """

    inner: DirectCodec
    index: ShardIndex
    fill: npt.NDArray[Any] = field(compare=False)
    whole: bool = False
    order: Literal["C", "F"] = "C"

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.inner.dtype

    @property
    def largest_bytes(self) -> int:
        """Most bytes of a shard."""
        return self.index.nbytes + self.index.entries * self.inner.stored_bytes

    @property
    def _copied_bytes(self) -> int:
        """Bytes of an inner chunk, which does not lie in one piece in the shard."""
        return prod(self.inner.shape) * self.dtype.itemsize

    @property
    def read_bytes(self) -> int:
        # Where an inner chunk is decoded, it lies in the shard already.
        decoded = self.inner.read_bytes - self.inner.nbytes
        return self.largest_bytes + self.index.held_bytes + decoded

    @property
    def write_bytes(self) -> int:
        encoded = self._copied_bytes + self.inner.write_bytes
        return self.largest_bytes + self.index.held_bytes + encoded

    @property
    def kept_bytes(self) -> int:
        freed = self._copied_bytes + self.inner.write_bytes
        return self.inner.kept_bytes + (freed if self._copied_bytes < LARGEST_KEPT else 0)

    @property
    def lasting_bytes(self) -> int:
        return self.inner.lasting_bytes

    def bytes_to_read(self, at_once: int) -> int:
        """Return the peak memory to read inner chunks as byte ranges.

        Parameters
        ----------
        at_once
            Most bytes of a range, unless a single inner chunk takes more.
        """
        decoded = self.inner.read_bytes - self.inner.nbytes
        return self.index.held_bytes + max(at_once, self.inner.stored_bytes) + decoded

    @property
    def blank(self) -> npt.NDArray[Any]:
        """What stands for a missing inner chunk, without memory of its own."""
        return np.broadcast_to(self.fill, self.inner.shape)

    def decode(self, encoded: Bytes, scratch: Scratch, part: Box | None = None) -> Iterator[Piece]:
        ranges = self.index.read(encoded)
        for number in map(int, self.numbers(part)):
            with self._error_at(number):
                found = self.index.part(ranges, number, encoded)
            if found is None:
                yield self.first(number), self.blank
            else:
                yield self.piece(number, found, scratch)

    def check(self, encoded: Bytes, part: Box | None = None) -> None:
        ranges = self.index.read(encoded)
        for number in map(int, self.numbers(part)):
            with self._error_at(number):
                found = self.index.part(ranges, number, encoded)
                if found is not None:
                    self.inner.check(found)

    def piece(self, number: int, encoded: Bytes, scratch: Scratch) -> Piece:
        """Decode an inner chunk.

        Parameters
        ----------
        number
            Its number in C order.
        encoded
            Its bytes.
        scratch
            Memory for its elements.
        """
        with self._error_at(number):
            ((_, chunk),) = self.inner.decode(encoded, scratch)
        return self.first(number), chunk

    def _error_at(self, number: int) -> error_at:
        return error_at(lambda: f"inner chunk {self._position(number)}")

    def numbers(self, part: Box | None) -> npt.NDArray[np.int64]:
        """Return the numbers, in C order, of the inner chunks that meet a part of the shard."""
        if part is None:
            return np.arange(self.index.entries)
        numbers = np.zeros((), np.int64)
        axes = zip(part.start, part.stop, self.inner.shape, self.index.counts, strict=True)
        for lo, hi, n, count in axes:
            numbers = numbers[..., np.newaxis] * count + np.arange(lo // n, -(-hi // n))
        return numbers.reshape(-1)

    def _position(self, number: int) -> tuple[int, ...]:
        """Return where an inner chunk lies in the grid of a shard."""
        return unravel(number, self.index.counts)

    def first(self, number: int) -> tuple[int, ...]:
        """Return the first element of an inner chunk."""
        return tuple(map(mul, self._position(number), self.inner.shape))

    def encode(
        self,
        chunk: npt.NDArray[Any],
        scratch: Scratch,
        *,
        extent: Shape | None = None,
        write_empty: bool = True,
    ) -> Buffer:
        index, ranges = self.index, self.index.all_missing()
        # Memory that nothing is written to takes no room, so this may be more than is needed.
        stored = Appended(scratch.take(self.largest_bytes))
        if index.is_first:
            stored.append(index.stored(ranges))
        for number in index.order():
            first = self.first(int(number))
            if extent is None or all(i < n for i, n in zip(first, extent, strict=True)):
                offset = stored.size
                self._append(chunk, first, stored, write_empty=write_empty)
                if stored.size > offset:
                    ranges[number] = offset, stored.size - offset
        if index.is_first:
            stored.whole[: index.nbytes] = index.stored(ranges)
        else:
            stored.append(index.stored(ranges))
        return cpu.Buffer.from_array_like(stored.whole)

    def _append(
        self,
        chunk: npt.NDArray[Any],
        first: tuple[int, ...],
        stored: Appended,
        *,
        write_empty: bool,
    ) -> None:
        """Append an inner chunk unless it is to be left out."""
        region = tuple(slice(i, i + n) for i, n in zip(first, self.inner.shape, strict=True))
        part = np.asarray(chunk[region], order="C")
        if write_empty or not holds_only(part, self.fill):
            stored.append(self.inner.encoded(part))


def shard_codec(document: Document) -> ShardCodec | None:
    """Return the codec of the shards of an array; None if only Zarr can decode them.

    Parameters
    ----------
    document
        Metadata of the array.
    """
    shapes = chunk_shapes(document)
    if shapes.shards is None or shapes.chunks is None:
        return None
    configuration = document["codecs"][0]["configuration"]
    inner = direct_codec(
        {**with_chunk_shape(document, shapes.chunks), "codecs": configuration["codecs"]}
    )
    pairs = zip(shapes.shards, shapes.chunks, strict=True)
    index = index_of(configuration, tuple(n // width for n, width in pairs))
    if inner is None or index is None:
        return None
    fill = array_from_document({**document, "attributes": {}}).metadata.fill_value
    return ShardCodec(inner, index, np.asarray(fill, inner.dtype))
