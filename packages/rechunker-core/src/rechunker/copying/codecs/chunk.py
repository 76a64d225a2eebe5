"""Encoding and decoding of single chunks, apart from reading and writing them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import zarr
from zarr.abc.buffer import Buffer
from zarr.buffer import cpu
from zarr.storage import MemoryStore, StorePath

from rechunker.copying.codecs.direct import direct_codec
from rechunker.scratch import Scratch

__all__ = ["ChunkCodec", "ZarrCodec", "chunk_codec", "stored_shape"]

Document = Mapping[str, Any]
Piece = tuple[tuple[int, ...], npt.NDArray[Any]]


class ChunkCodec(Protocol):
    """Turns the bytes of one stored object (a chunk, or a shard) into elements and back.

    Attributes
    ----------
    read_bytes
        What reading one object holds at most, in bytes: it, encoded, and what is decoded of it.
    write_bytes
        What writing one object holds at most, besides the elements.
    whole
        Whether an object is decoded at once; a shard is decoded inner chunk by inner chunk.
    """

    @property
    def read_bytes(self) -> int: ...
    @property
    def write_bytes(self) -> int: ...
    @property
    def whole(self) -> bool: ...

    def decode(self, encoded: npt.NDArray[np.uint8], scratch: Scratch) -> Iterator[Piece]:
        """Yield the parts of an object, each with its position within it.

        A part is void as soon as the next one is asked for.
        """
        ...

    def encode(self, chunk: npt.NDArray[Any]) -> Buffer:
        """Return the object that holds `chunk`, which is C-contiguous and whole."""
        ...


def chunk_codec(document: Document, itemsize: int) -> ChunkCodec:
    """Return the codec of the stored objects of an array.

    Parameters
    ----------
    document
        The array's metadata.
    itemsize
        Bytes of one decoded element (an estimate for strings of variable length).
    """
    return direct_codec(document) or ZarrCodec.of(document, itemsize)


@dataclass(frozen=True)
class ZarrCodec:
    """Any codec that Zarr has: each object is the only one of a small array in memory.

    Zarr itself decodes and encodes, and never sees the store.
    """

    metadata: Any
    key: str
    inner: tuple[int, ...]
    read_bytes: int
    write_bytes: int
    whole: bool

    @classmethod
    def of(cls, document: Document, itemsize: int) -> ZarrCodec:
        shape, inner = stored_shape(document), _inner_shape(document)
        size, part = (itemsize * prod(n) for n in (shape, inner))
        bound = size + size // 64 + 1024
        # Zarr holds what it decodes twice (as a chunk, and in the array it returns), each step of
        # a chain of codecs adds a copy, and a shard is put together from its encoded chunks (in
        # zarr 3.4 by way of three copies).
        lone = {**document, "shape": list(shape), "attributes": {}}
        metadata = _parsed(lone)
        key = str(metadata.encode_chunk_key((0,) * len(shape)))
        copies = 2 if shape == inner else 3
        write = copies * bound + 2 * part
        return cls(metadata, key, inner, bound + 4 * part, write, shape == inner)

    def decode(self, encoded: npt.NDArray[np.uint8], scratch: Scratch) -> Iterator[Piece]:
        objects: dict[str, Buffer] = {self.key: cpu.Buffer.from_array_like(encoded)}
        del encoded
        array = _lone_array(self.metadata, objects)
        starts = [range(0, n, w) for n, w in zip(array.shape, self.inner, strict=True)]
        for start in np.ndindex(*(len(axis) for axis in starts)):
            first = tuple(axis[i] for axis, i in zip(starts, start, strict=True))
            region = tuple(slice(i, i + w) for i, w in zip(first, self.inner, strict=True))
            part = np.asarray(array[region]).reshape(self.inner)
            if self.whole:
                objects.clear()  # so that what was encoded is gone while the chunk is used
            yield first, part

    def encode(self, chunk: npt.NDArray[Any]) -> Buffer:
        objects: dict[str, Buffer] = {}
        array = _lone_array(self.metadata, objects).with_config({"write_empty_chunks": True})
        # numcodecs filters take bytes as they are, whatever their order.
        array[...] = chunk.astype(array.dtype, copy=False)
        return objects[self.key]


def stored_shape(document: Document) -> tuple[int, ...]:
    """Return the shape of what is stored as one object: a chunk, or a shard."""
    if document["zarr_format"] == 2:
        return tuple(document["chunks"])
    return tuple(document["chunk_grid"]["configuration"]["chunk_shape"])


def _inner_shape(document: Document) -> tuple[int, ...]:
    for codec in document.get("codecs", ()):
        if codec["name"] == "sharding_indexed":
            return tuple(codec["configuration"]["chunk_shape"])
    return stored_shape(document)


def _parsed(document: Document) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dtypes and codecs outside the v3 specification
        return zarr.Array.from_dict(StorePath(MemoryStore()), dict(document)).metadata


def _lone_array(metadata: Any, objects: dict[str, Buffer]) -> zarr.Array[Any]:
    """Return an array whose only stored object is, or will be, in `objects`.

    Its metadata are not parsed again for every chunk: that takes time, and what it warns of can
    only be silenced for all threads at once.
    """
    return zarr.Array(zarr.AsyncArray(metadata, StorePath(MemoryStore(objects))))
