"""Chunk codecs: single stored objects (chunks, or shards), apart from reading and writing them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import zarr
from zarr.abc.buffer import Buffer
from zarr.buffer import cpu
from zarr.storage import MemoryStore, StorePath

from rechunker.copying.codecs.compressor import byte_codec
from rechunker.copying.codecs.direct import direct_codec
from rechunker.copying.codecs.guards import Limit, guarded
from rechunker.copying.codecs.inline import complete
from rechunker.copying.codecs.piece import Piece
from rechunker.copying.codecs.shards import shard_codec
from rechunker.copying.codecs.workspace import LARGEST_KEPT, Workspace
from rechunker.metadata.document import (
    DTYPE_ARGUMENTS,
    Document,
    Shape,
    array_from_document,
    chunk_shapes,
)
from rechunker.planning import Box
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
    kept_bytes
        Bytes that belong to each thread that decodes and encodes: small tables and buffers of its
        codecs, and freed memory that the C library keeps.
    lasting_bytes
        Bytes that decoding or encoding a chunk leaves in use, also while other data are held.
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
    def kept_bytes(self) -> int: ...
    @property
    def lasting_bytes(self) -> int: ...
    @property
    def whole(self) -> bool: ...

    def decode(
        self, encoded: npt.NDArray[np.uint8], scratch: Scratch, part: Box | None = None
    ) -> Iterator[Piece]:
        """Yield the pieces of an object, each with its position within the object.

        Parameters
        ----------
        encoded
            The object.
        scratch
            Memory for a decoded piece.
        part
            Part of the object that is needed, of which its first element is the origin: pieces
            that do not meet it are left out. By default all of them.

        Raises
        ------
        Exception
            If the object does not decode to exactly one chunk, or shard.
        """
        ...

    def check(self, encoded: npt.NDArray[np.uint8], part: Box | None = None) -> None:
        """Check what can be known of an object, or a part of it, without decoding it.

        Raises
        ------
        ValueError
            If the object cannot decode to exactly one chunk.
        """
        ...

    def encode(
        self,
        chunk: npt.NDArray[Any],
        scratch: Scratch,
        *,
        extent: Shape | None = None,
        write_empty: bool = True,
    ) -> Buffer:
        """Encode a whole chunk, or shard.

        Parameters
        ----------
        chunk
            Its elements, C-contiguous.
        scratch
            Memory in which the object that is returned may lie.
        extent
            Elements that lie in the array, from the first one on, along every axis; by default
            all. The others are those of the fill value; inner chunks of them alone are left out.
        write_empty
            Whether a shard holds inner chunks of nothing but the fill value.
        """
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
    return direct_codec(document) or shard_codec(document) or ZarrCodec.of(document, itemsize)


# Bytes that a string takes besides its characters while it is encoded (a string and a bytes object
# of Python, and references to them) or decoded.
ELEMENT_ENCODED, ELEMENT_DECODED = 132, 64
# Threads in which Zarr encodes the chunks of a shard (`async.concurrency` of `zarr.config`).
_THREADS = 10


@dataclass(frozen=True)
class ZarrCodec:
    """Codec for everything that Zarr supports, by way of an array of one object in memory.

    Zarr encodes and decodes the object and never touches the store. It decodes with `readable`,
    the metadata with codecs that refuse to decode to far more than a chunk.
    """

    metadata: Any
    readable: Any
    key: str
    dtype: np.dtype[Any]
    inner: Shape
    read_bytes: int
    write_bytes: int
    kept_bytes: int
    whole: bool
    order: Literal["C", "F"] = "C"
    lasting_bytes: int = 0

    @classmethod
    def of(cls, document: Document, itemsize: int) -> ZarrCodec:
        """Return the codec of an array with this metadata."""
        shapes = chunk_shapes(document)
        shape, inner = shapes.stored, shapes.chunks or shapes.stored
        array = array_from_document({**document, "shape": list(shape), "attributes": {}})
        whole = shape == inner
        size, part = (itemsize * prod(n) for n in (shape, inner))
        bound = size + size // 64 + 1024
        space = _workspace(document, itemsize, part)
        elements = 0 if array.dtype.kind not in "OT" else prod(inner)
        # Zarr holds what it decodes twice (as a chunk, and in the array it returns). Each codec
        # of a chain adds a copy. Zarr joins a shard from its encoded chunks: 3.4 copies it
        # three times, and it encodes several of them at a time.
        decoded = max(4 * part, 3 * _widest(document) * prod(inner))
        encoded = (2 if whole else 3) * bound + 2 * part
        # Zarr decodes in several threads, each with a heap of its own.
        calls = 1 if whole else min(_THREADS, prod(shape) // prod(inner))
        return cls(
            metadata=array.metadata,
            readable=guarded(
                array.metadata,
                Limit.of(
                    prod(inner),
                    max(itemsize, _widest(document)),
                    is_variable=array.dtype.kind in "OT",
                ),
            ),
            key=str(array.metadata.encode_chunk_key((0,) * len(shape))),
            dtype=array.dtype,
            inner=inner,
            read_bytes=bound + decoded + ELEMENT_DECODED * elements + space.decode,
            write_bytes=encoded + ELEMENT_ENCODED * elements + calls * space.encode,
            kept_bytes=calls * space.kept + (decoded if part < LARGEST_KEPT else 0),
            whole=whole,
        )

    def decode(
        self, encoded: npt.NDArray[np.uint8], scratch: Scratch, part: Box | None = None
    ) -> Iterator[Piece]:
        objects: dict[str, Buffer] = {self.key: cpu.Buffer.from_array_like(encoded)}
        del encoded
        array = _array_of_one_object(self.readable, objects)
        box = part or Box((0,) * len(array.shape), array.shape)
        axes = zip(box.start, box.stop, self.inner, strict=True)
        for first in itertools.product(*(range(lo // w * w, hi, w) for lo, hi, w in axes)):
            region = tuple(slice(i, i + w) for i, w in zip(first, self.inner, strict=True))
            found = complete(array.getitem(region)) if self.whole else zarr.Array(array)[region]
            chunk = np.asarray(found) if self.inner else _without_axes(found, self.dtype)
            chunk = chunk.reshape(self.inner)
            if self.whole:
                objects.clear()  # so that the encoded bytes can go while the chunk is in use
            yield first, chunk

    def check(self, encoded: npt.NDArray[np.uint8], part: Box | None = None) -> None:
        """Check nothing: only Zarr knows the encoding."""

    def encode(
        self,
        chunk: npt.NDArray[Any],
        scratch: Scratch,
        *,
        extent: Shape | None = None,
        write_empty: bool = True,
    ) -> Buffer:
        objects: dict[str, Buffer] = {}
        array = _array_of_one_object(self.metadata, objects)
        # Zarr takes any NaN for any other, and -0 in a complex number for 0.
        all_written = self.whole or write_empty or self.dtype.kind in "fcV"
        array = array.with_config({"write_empty_chunks": all_written})
        # Filters of numcodecs take the bytes as they are, whatever their order.
        values = chunk.astype(self.dtype, copy=False)
        if self.whole:
            complete(array.setitem(..., values))
        else:
            region = tuple(map(slice, chunk.shape if extent is None else extent))
            zarr.Array(array)[region] = values[region]  # inner chunks in several threads
        return objects[self.key]


def _without_axes(element: Any, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the only element of an array of no axes, which Zarr returns as a scalar, as an array.

    NumPy would make a string with a fixed number of characters of one of variable length.
    """
    array = np.empty((), dtype)
    array[()] = element[()] if isinstance(element, np.ndarray) and not element.ndim else element
    return array


def _array_of_one_object(metadata: Any, objects: dict[str, Buffer]) -> zarr.AsyncArray[Any]:
    """Return an array whose only stored object is, or will be, in `objects`.

    The metadata are parsed once for a codec and not for every chunk: parsing takes time, and its
    warnings can be silenced for all threads at once only.
    """
    return zarr.AsyncArray(metadata, StorePath(MemoryStore(objects)))


def _workspace(document: Document, itemsize: int, nbytes: int) -> Workspace:
    """Return the workspace of the compressors in a chain, one after another."""
    configs = _codecs(document)
    compressors = [byte_codec(config, itemsize) or byte_codec(config, 1) for config in configs]
    spaces = [codec.workspace(nbytes) for codec in compressors if codec is not None]
    return Workspace(*(max(sizes) for sizes in zip(*spaces, strict=True)) if spaces else (0, 0))


def _widest(document: Document) -> int:
    """Return the most bytes of an element that a filter computes with; 0 without filters."""
    widest = 0
    for codec in _codecs(document):
        given = codec.get("configuration", codec)
        dtypes = [given[key] for key in DTYPE_ARGUMENTS if isinstance(given.get(key), str)]
        widest = max([widest, *(np.dtype(dtype).itemsize for dtype in dtypes)])
        if str(codec.get("id") or codec["name"]).endswith("fixedscaleoffset"):
            widest = max(widest, 8)  # double precision
    return widest


def _codecs(document: Document) -> list[Mapping[str, Any]]:
    """Return the metadata of all codecs that turn chunks into bytes."""
    if document["zarr_format"] == 2:
        found = [*(document["filters"] or ()), document["compressor"]]
        return [codec for codec in found if codec is not None]
    codecs: list[Mapping[str, Any]] = list(document["codecs"])
    for codec in codecs:
        if codec["name"] == "sharding_indexed":
            codecs += codec["configuration"]["codecs"]
    return codecs
