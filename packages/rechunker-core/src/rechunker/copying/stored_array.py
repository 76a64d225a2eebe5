"""Where the objects of one Zarr array lie and how they are encoded."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.abc.store import Store
from zarr.storage import MemoryStore, StorePath

from rechunker.copying.codecs import ChunkCodec, chunk_codec
from rechunker.copying.codecs.chunk import stored_shape
from rechunker.copying.lanes import Lane
from rechunker.stores import access

__all__ = ["StoredArray"]


@dataclass(frozen=True)
class StoredArray:
    """One Zarr array, known by its metadata alone; the store need not hold them (yet).

    Parameters
    ----------
    store
        Any Zarr store.
    path
        Path of the array in the store, "" for its root.
    metadata
        The array's metadata document, as JSON without attributes: it travels to every worker.
    itemsize
        Bytes of one decoded element; an estimate where elements have any length.
    """

    store: Store
    path: str
    metadata: str
    itemsize: int

    @classmethod
    def of(cls, path: StorePath, document: dict[str, Any], itemsize: int) -> StoredArray:
        """Return the array at `path` whose metadata are `document`."""
        bare = json.dumps({**document, "attributes": {}}, sort_keys=True)
        return cls(path.store, path.path, bare, itemsize)

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    @cached_property
    def _handle(self) -> zarr.Array[Any]:
        return _handle(self.metadata)

    @property
    def document(self) -> dict[str, Any]:
        """The metadata, parsed."""
        return dict(json.loads(self.metadata))

    @cached_property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._handle.shape)

    @cached_property
    def unit(self) -> tuple[int, ...]:
        """Shape of what is stored as one object: a chunk, or a shard."""
        return tuple(max(1, n) for n in stored_shape(self.document))

    @cached_property
    def codec(self) -> ChunkCodec:
        return chunk_codec(self.document, self.itemsize)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements as the codec decodes them, with its byte order."""
        direct = getattr(self.codec, "dtype", None)
        return direct if direct is not None else self._handle.dtype

    @cached_property
    def fill_value(self) -> Any:
        """The value of elements that are not stored; None where the metadata leave it open."""
        fill = self._handle.metadata.fill_value
        return None if fill is None else np.asarray(fill, self.dtype)

    @cached_property
    def blank(self) -> npt.NDArray[Any]:
        """What elements are that are not stored: the fill value, or whatever Zarr makes of none."""
        if self.fill_value is not None:
            return np.asarray(self.fill_value)
        return np.asarray(self._handle.metadata.dtype.default_scalar(), self.dtype)

    def key(self, index: tuple[int, ...]) -> str:
        """Return the key in the store of the object at `index` of the grid."""
        name = self._handle.metadata.encode_chunk_key(index)
        return f"{self.path}/{name}" if self.path else str(name)

    def discard(self, index: tuple[int, ...], lane: Lane) -> None:
        """Leave out the object at `index`, and remove what a run that was given up left there."""
        lane.count(empty=1)
        if self.store.supports_deletes:
            access.delete(self.store, self.key(index))


@lru_cache(maxsize=256)
def _handle(metadata: str) -> zarr.Array[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dtypes and codecs outside the v3 specification
        return zarr.Array.from_dict(StorePath(MemoryStore()), json.loads(metadata))
