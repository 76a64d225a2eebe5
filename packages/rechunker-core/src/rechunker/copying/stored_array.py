"""Stored arrays: where the objects of one Zarr array lie, and how they are encoded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.abc.store import Store
from zarr.storage import StorePath

from rechunker.copying.codecs import ChunkCodec, chunk_codec
from rechunker.copying.lanes import Lane
from rechunker.copying.stored_keys import StoredKeys
from rechunker.metadata.document import Document, Shape, array_from_document, chunk_shapes
from rechunker.planning import Box, block, counts
from rechunker.stores import access, check_unchanged

__all__ = ["StoredArray"]


@dataclass(frozen=True)
class StoredArray:
    """One Zarr array, known by its metadata alone; the store need not hold them yet.

    Parameters
    ----------
    store
        Any Zarr store.
    path
        Path of the array in the store, "" for its root.
    metadata
        Document of the array, as JSON without attributes: it travels to every worker.
    itemsize
        Bytes of one decoded element; an estimate for variable-length elements.
    digest
        Digest of the stored metadata of a source (`rechunker.stores.node_digest`); None for an
        array that need not be there.
    missing_is_error
        Whether a missing object is an error and does not stand for the fill value.
    stored_keys
        Which objects of a source were there when the plan was made; None if unknown.
    """

    store: Store
    path: str
    metadata: str
    itemsize: int
    digest: str | None = None
    missing_is_error: bool = False
    stored_keys: StoredKeys | None = None

    @classmethod
    def of(cls, path: StorePath, document: Document, itemsize: int) -> StoredArray:
        """Return the array at `path` with the metadata `document`."""
        bare = json.dumps({**document, "attributes": {}}, sort_keys=True)
        return cls(path.store, path.path, bare, itemsize)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    @cached_property
    def _handle(self) -> zarr.Array[Any]:
        return _handle(self.metadata)

    @property
    def document(self) -> Document:
        """The metadata, parsed."""
        return dict(_parsed(self.metadata))

    @cached_property
    def shape(self) -> Shape:
        return tuple(self._handle.shape)

    @cached_property
    def unit(self) -> Shape:
        """Shape of a stored object: a chunk, or a shard."""
        return tuple(max(1, n) for n in chunk_shapes(_parsed(self.metadata)).stored)

    @cached_property
    def objects(self) -> Shape:
        """Number of stored objects along every axis, if none is missing."""
        return counts(self.shape, self.unit)

    @cached_property
    def codec(self) -> ChunkCodec:
        return _codec(self.metadata, self.itemsize)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of the decoded elements, with its byte order."""
        return self.codec.dtype

    @cached_property
    def fill_value(self) -> Any:
        """Fill value as an array without axes; None if the metadata have none."""
        fill = self._handle.metadata.fill_value
        return None if fill is None else np.asarray(fill, self.dtype)

    @cached_property
    def blank(self) -> npt.NDArray[Any]:
        """Value of missing chunks: the fill value, or the dtype's default if there is none."""
        if self.fill_value is not None:
            return np.asarray(self.fill_value)
        return np.asarray(self._handle.metadata.dtype.default_scalar(), self.dtype)

    @property
    def blank_unit(self) -> npt.NDArray[Any]:
        """What stands for a missing object, without memory of its own."""
        return np.broadcast_to(self.blank, self.unit)

    def nbytes(self, index: tuple[int, ...]) -> int:
        """Return the decoded bytes of the object at `index`, without what lies beyond the end."""
        axes = zip(self.shape, self.unit, index, strict=True)
        return prod([min(width, n - i * width) for n, width, i in axes]) * self.itemsize

    def needed(self, index: tuple[int, ...], box: Box | None = None) -> Box | None:
        """Return the part of the object at `index` that lies in the array, and in a box.

        It is numbered from the first element of the object on; None if the codec knows only whole
        objects.
        """
        if self.codec.whole:
            return None
        unit = block(self.shape, self.unit, index)
        return (unit if box is None else unit & box).from_origin(unit.start)

    def key(self, index: tuple[int, ...]) -> str:
        """Return the store key of the object at `index` of the grid."""
        name = self._handle.metadata.encode_chunk_key(index)
        return f"{self.path}/{name}" if self.path else str(name)

    def locate(self, index: tuple[int, ...]) -> str:
        """Describe the object at `index` of the grid, for errors."""
        return f"chunk {index} at {StorePath(self.store, self.key(index))}"

    def confirm_missing(self, index: tuple[int, ...], lane: Lane) -> None:
        """Check that a missing object stands for the fill value: the array itself is there.

        Raises
        ------
        FileNotFoundError, ValueError
            If the array is gone or another one, or missing objects are errors.
        """
        lane.once((id(self.store), self.path), self.check_unchanged)
        if self.missing_is_error:
            raise FileNotFoundError(
                "the object is missing, and the setting array.read_missing_chunks is off"
            )
        if self.stored_keys is not None and self.stored_keys.contain(self._position(index)):
            raise FileNotFoundError(
                "the object is missing, but it was there when rechunk() was called; restore it, or "
                "call rechunk() again to have the fill value in its place"
            )

    def _position(self, index: tuple[int, ...]) -> int:
        """Return the number of an object in C order."""
        return int(np.ravel_multi_index(index, self.objects)) if index else 0

    def is_known_missing(self, index: tuple[int, ...]) -> bool:
        """Return whether the object at `index` was missing when the plan was made."""
        keys = self.stored_keys
        return self.may_be_blank and keys is not None and not keys.contain(self._position(index))

    @property
    def may_be_blank(self) -> bool:
        """Whether objects are known to have been missing when the plan was made."""
        keys = self.stored_keys
        return keys is not None and not keys.are_all and not self.missing_is_error

    def stored_objects(self) -> npt.NDArray[np.bool_]:
        """Return which objects were there when the plan was made, where some were not."""
        assert self.stored_keys is not None
        return self.stored_keys.in_grid(self.objects)

    def objects_in(self, box: Box) -> tuple[slice, ...]:
        """Return the part of the grid whose objects meet a box."""
        edges = zip(box.start, box.stop, self.unit, strict=True)
        return tuple(slice(start // width, -(-stop // width)) for start, stop, width in edges)

    def check_unchanged(self) -> None:
        """Check that the array is the one that was there when the plan was made.

        Raises
        ------
        FileNotFoundError, ValueError
            If it is gone or another one.
        """
        check_unchanged(StorePath(self.store, self.path), self.digest)

    def discard(self, index: tuple[int, ...], lane: Lane) -> None:
        """Leave out the object at `index`; delete the one that an earlier run may have left.

        Where objects can be listed, the start of a run has done so.
        """
        lane.count(empty=1)
        if self.store.supports_deletes and not self.store.supports_listing:
            access.delete(self.store, self.key(index))

    @property
    def can_leave_out(self) -> bool:
        """Whether objects are left out without a request."""
        return bool(self.store.supports_listing or not self.store.supports_deletes)


@lru_cache(maxsize=256)
def _handle(metadata: str) -> zarr.Array[Any]:
    return array_from_document(_parsed(metadata))


@lru_cache(maxsize=256)
def _parsed(metadata: str) -> Document:
    """Return metadata that are not to be changed."""
    return dict(json.loads(metadata))


@lru_cache(maxsize=256)
def _codec(metadata: str, itemsize: int) -> ChunkCodec:
    return chunk_codec(_parsed(metadata), itemsize)
