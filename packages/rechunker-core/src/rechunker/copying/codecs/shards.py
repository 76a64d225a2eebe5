"""Shard codec: shards of chunks with a direct codec, encoded and decoded without Zarr."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from zarr.abc.buffer import Buffer
from zarr.buffer import cpu

from rechunker.copying.appended import Appended
from rechunker.copying.codecs.direct import DirectCodec, direct_codec
from rechunker.copying.codecs.piece import Piece
from rechunker.copying.codecs.shard_index import Ranges, ShardIndex, index_of
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
from rechunker.planning import Box
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
    def _stored_bytes(self) -> int:
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
        return self._stored_bytes + self.index.held_bytes + decoded

    @property
    def write_bytes(self) -> int:
        encoded = self._copied_bytes + self.inner.write_bytes
        return self._stored_bytes + self.index.held_bytes + encoded

    @property
    def kept_bytes(self) -> int:
        freed = self._copied_bytes + self.inner.write_bytes
        return self.inner.kept_bytes + (freed if self._copied_bytes < LARGEST_KEPT else 0)

    @property
    def lasting_bytes(self) -> int:
        return self.inner.lasting_bytes

    def decode(self, encoded: Bytes, scratch: Scratch, part: Box | None = None) -> Iterator[Piece]:
        ranges = self.index.read(encoded)
        blank = np.broadcast_to(self.fill, self.inner.shape)
        for at in self._meeting(part):
            found = self._decoded(encoded, ranges, at, scratch)
            yield self._first(at), blank if found is None else found

    def check(self, encoded: Bytes, part: Box | None = None) -> None:
        ranges = self.index.read(encoded)
        for at in self._meeting(part):
            self._check(encoded, ranges, at)

    def _check(self, encoded: Bytes, ranges: Ranges, at: tuple[int, ...]) -> None:
        with error_at(lambda: f"inner chunk {at}"):
            found = self.index.part(ranges, self._number(at), encoded)
            if found is not None:
                self.inner.check(found)

    def _decoded(
        self, encoded: Bytes, ranges: Ranges, at: tuple[int, ...], scratch: Scratch
    ) -> npt.NDArray[Any] | None:
        """Return an inner chunk; None if it is missing."""
        with error_at(lambda: f"inner chunk {at}"):
            found = self.index.part(ranges, self._number(at), encoded)
            if found is None:
                return None
            ((_, chunk),) = self.inner.decode(found, scratch)
            return chunk

    def _meeting(self, part: Box | None) -> Iterator[tuple[int, ...]]:
        """Yield the positions of the inner chunks that meet a part of the shard."""
        if part is None:
            return itertools.product(*map(range, self.index.counts))
        axes = zip(part.start, part.stop, self.inner.shape, strict=True)
        return itertools.product(*(range(lo // n, -(-hi // n)) for lo, hi, n in axes))

    def _number(self, at: tuple[int, ...]) -> int:
        """Return the number of an inner chunk in C order."""
        number = 0
        for i, count in zip(at, self.index.counts, strict=True):
            number = number * count + i
        return number

    def _first(self, at: Iterable[Any]) -> tuple[int, ...]:
        """Return the first element of an inner chunk."""
        return tuple(int(i) * n for i, n in zip(at, self.inner.shape, strict=True))

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
        stored = Appended(scratch.take(self._stored_bytes))
        if index.is_first:
            stored.append(index.stored(ranges))
        for number in index.order():
            first = self._first(np.unravel_index(number, index.counts))
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
