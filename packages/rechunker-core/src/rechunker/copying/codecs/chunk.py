"""Chunk codecs: single stored objects (chunks, or shards), apart from reading and writing them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import zarr
from zarr.abc.buffer import Buffer
from zarr.buffer import cpu
from zarr.storage import MemoryStore, StorePath

from rechunker.copying.codecs.direct import direct_codec
from rechunker.copying.codecs.piece import Piece
from rechunker.metadata.document import Document, Shape, array_from_document, chunk_shapes
from rechunker.scratch import Scratch

__all__ = ["ChunkCodec", "ZarrCodec", "chunk_codec"]


class ChunkCodec(Protocol):
    """Encodes and decodes one stored object: a chunk, or a shard.

    Attributes
    ----------
    dtype
        Dtype of the decoded elements, with its byte order.
    order
        Memory order of the elements of a decoded chunk, "C" or "F".
    read_bytes
        Peak memory to decode one object, in bytes: encoded and decoded together.
    write_bytes
        Peak memory to encode one object, in bytes, besides the decoded elements.
    whole
        Whether an object is decoded at once; a shard is decoded one inner chunk at a time.
    """

    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def order(self) -> Literal["C", "F"]: ...
    @property
    def read_bytes(self) -> int: ...
    @property
    def write_bytes(self) -> int: ...
    @property
    def whole(self) -> bool: ...

    def decode(self, encoded: npt.NDArray[np.uint8], scratch: Scratch) -> Iterator[Piece]:
        """Yield the pieces of an object, each with its position within the object."""
        ...

    def encode(self, chunk: npt.NDArray[Any]) -> Buffer:
        """Encode a whole chunk, which is C-contiguous."""
        ...


def chunk_codec(document: Document, itemsize: int) -> ChunkCodec:
    """Return the codec of the stored objects of an array: a direct one, or else Zarr's.

    Parameters
    ----------
    document
        Metadata of the array.
    itemsize
        Bytes of one decoded element; an estimate for strings of variable length.
    """
    return direct_codec(document) or ZarrCodec.of(document, itemsize)


@dataclass(frozen=True)
class ZarrCodec:
    """Codec for everything that Zarr supports, by way of an array of one object in memory.

    Zarr encodes and decodes the object and never touches the store.
    """

    metadata: Any
    key: str
    dtype: np.dtype[Any]
    inner: Shape
    read_bytes: int
    write_bytes: int
    whole: bool
    order: Literal["C", "F"] = "C"

    @classmethod
    def of(cls, document: Document, itemsize: int) -> ZarrCodec:
        """Return the codec of an array with this metadata."""
        shapes = chunk_shapes(document)
        shape, inner = shapes.stored, shapes.chunks or shapes.stored
        size, part = (itemsize * prod(n) for n in (shape, inner))
        bound = size + size // 64 + 1024
        # Zarr holds what it decodes twice (as a chunk, and in the array it returns). Each codec
        # of a chain adds a copy. Zarr joins a shard from its encoded chunks: 3.4 copies it
        # three times.
        array = array_from_document({**document, "shape": list(shape), "attributes": {}})
        copies = 2 if shape == inner else 3
        return cls(
            metadata=array.metadata,
            key=str(array.metadata.encode_chunk_key((0,) * len(shape))),
            dtype=array.dtype,
            inner=inner,
            read_bytes=bound + 4 * part,
            write_bytes=copies * bound + 2 * part,
            whole=shape == inner,
        )

    def decode(self, encoded: npt.NDArray[np.uint8], scratch: Scratch) -> Iterator[Piece]:
        objects: dict[str, Buffer] = {self.key: cpu.Buffer.from_array_like(encoded)}
        del encoded
        array = _array_of_one_object(self.metadata, objects)
        starts = [range(0, n, w) for n, w in zip(array.shape, self.inner, strict=True)]
        for start in np.ndindex(*(len(axis) for axis in starts)):
            first = tuple(axis[i] for axis, i in zip(starts, start, strict=True))
            region = tuple(slice(i, i + w) for i, w in zip(first, self.inner, strict=True))
            part = np.asarray(array[region]).reshape(self.inner)
            if self.whole:
                objects.clear()  # so that the encoded bytes can go while the chunk is in use
            yield first, part

    def encode(self, chunk: npt.NDArray[Any]) -> Buffer:
        objects: dict[str, Buffer] = {}
        array = _array_of_one_object(self.metadata, objects)
        # Filters of numcodecs take the bytes as they are, whatever their order.
        array.with_config({"write_empty_chunks": True})[...] = chunk.astype(self.dtype, copy=False)
        return objects[self.key]


def _array_of_one_object(metadata: Any, objects: dict[str, Buffer]) -> zarr.Array[Any]:
    """Return an array whose only stored object is, or will be, in `objects`.

    The metadata are parsed once for a codec and not for every chunk: parsing takes time, and its
    warnings can be silenced for all threads at once only.
    """
    return zarr.Array(zarr.AsyncArray(metadata, StorePath(MemoryStore(objects))))
