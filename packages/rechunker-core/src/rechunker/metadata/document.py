"""Documents: the metadata of Zarr arrays and groups as JSON-like dictionaries, of either format."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import zarr
from zarr.buffer import default_buffer_prototype
from zarr.errors import UnstableSpecificationWarning, ZarrUserWarning
from zarr.storage import MemoryStore, StorePath

from rechunker.metadata.codec_chain import sharding_of
from rechunker.metadata.wording import REFUSALS
from rechunker.stores import read_json

__all__ = [
    "DTYPE_ARGUMENTS",
    "ChunkShapes",
    "Document",
    "Shape",
    "apart",
    "array_from_document",
    "as_read",
    "chunk_shapes",
    "document_of",
    "files_of",
    "quiet",
    "with_chunk_shape",
]

Document: TypeAlias = dict[str, Any]
"""Format 3: the content of ``zarr.json``. Format 2: that of ``.zarray``, with the content of
``.zattrs`` as "attributes"."""

Shape: TypeAlias = tuple[int, ...]
"""Elements along every axis."""

# Arguments of filters that are dtypes of elements.
DTYPE_ARGUMENTS = ("dtype", "astype", "encode_dtype", "decode_dtype")
# What Zarr warns of although the user cannot change it: a copy has the dtypes and codecs of its
# source. zarr 3.1.6 to 3.4.2 warn of dtypes outside the format 3 specification and of consolidated
# metadata in format 3; 3.1.6 also of the codecs of numcodecs.
# While the metadata of a group are consolidated its claim and its journal are still there.
_IGNORED = (
    "Numcodecs codecs are not in",
    "Consolidated metadata is currently not part",
    r"Object at \.rechunker-(claim|journal) is not recognized",
)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Zarr's warnings about dtypes, codecs and metadata that format 3 does not specify.

    Enter it once for an array, never once for a chunk: `warnings.catch_warnings` changes the
    filters of all threads (Python 3.11 to 3.13).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnstableSpecificationWarning)
        for message in _IGNORED:
            warnings.filterwarnings("ignore", message, ZarrUserWarning)
        yield


def array_from_document(
    document: Mapping[str, Any], path: StorePath | None = None
) -> zarr.Array[Any]:
    """Return an array with the metadata of a document; nothing is written.

    This is the only place where documents are parsed, each but once: many arrays of a group differ
    in nothing but their attributes.

    Parameters
    ----------
    document
        Metadata of an array.
    path
        Where the chunks of the array are; by default in an empty store in memory.

    Returns
    -------
    zarr.Array

    Raises
    ------
    ValueError, TypeError
        If the document does not describe an array.
    """
    attributes, text = apart(document)
    metadata = copy(_parsed(text))
    # Whoever gets the array may change its attributes. The metadata are frozen, so not by `=`.
    object.__setattr__(metadata, "attributes", attributes)
    place = StorePath(MemoryStore()) if path is None else path
    return zarr.Array(zarr.AsyncArray(metadata, place))


def apart(document: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the attributes of a document as JSON has them, and the text of all else."""
    attributes = json.loads(json.dumps(document.get("attributes") or {}))
    return attributes, json.dumps({**document, "attributes": {}})


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    """Return the metadata of a document without attributes; not to be changed."""
    with quiet():
        return zarr.Array.from_dict(StorePath(MemoryStore()), json.loads(text)).metadata


class ChunkShapes(NamedTuple):
    """Shapes of the chunks of an array and of its shards.

    Parameters
    ----------
    chunks
        Elements of a chunk along every axis, of an inner chunk where there are shards; None for
        an irregular chunk grid.
    shards
        Elements of a shard along every axis; None without shards.
    """

    chunks: Shape | None
    shards: Shape | None

    @property
    def stored(self) -> Shape:
        """Shape of a stored object: of a shard, or of a chunk without shards."""
        shape = self.chunks if self.shards is None else self.shards
        if shape is None:
            raise ValueError("the chunk grid is irregular: its stored objects differ in shape")
        return shape


def chunk_shapes(document: Mapping[str, Any]) -> ChunkShapes:
    """Return the shapes of chunks and shards.

    Parameters
    ----------
    document
        Metadata of an array.

    Examples
    --------
    >>> array = zarr.create_array({}, shape=(8,), chunks=(2,), shards=(4,), dtype="i4")
    >>> chunk_shapes(document_of(array))
    ChunkShapes(chunks=(2,), shards=(4,))
    """
    if document["zarr_format"] == 2:
        return ChunkShapes(tuple(document["chunks"]), None)
    grid, codecs = document["chunk_grid"], document["codecs"]
    if grid["name"] != "regular":
        return ChunkShapes(None, None)
    outer = tuple(grid["configuration"]["chunk_shape"])
    # As Zarr does: with other codecs around the sharding codec, the whole object is one chunk.
    sharding = sharding_of(codecs) if len(codecs) == 1 else None
    if sharding is None:
        return ChunkShapes(outer, None)
    return ChunkShapes(tuple(sharding["configuration"]["chunk_shape"]), outer)


def with_chunk_shape(document: Mapping[str, Any], shape: Shape) -> Document:
    """Return a document in which stored objects (chunks, or shards) have another shape.

    Parameters
    ----------
    document
        Metadata of an array.
    shape
        Elements of a stored object along every axis.
    """
    if document["zarr_format"] == 2:
        return {**document, "chunks": list(shape)}
    grid = {"name": "regular", "configuration": {"chunk_shape": list(shape)}}
    return {**document, "chunk_grid": grid}


def as_read(document: Mapping[str, Any]) -> Document:
    """Return a stored document as `document_of` returns that of the array which it describes.

    Parameters
    ----------
    document
        Metadata of an array, and all that its store holds of them.

    Raises
    ------
    ValueError, TypeError
        If the document does not describe an array.
    """
    attributes, text = apart(document)
    return {**json.loads(_as_read(text)), "attributes": attributes}


@lru_cache(maxsize=256)
def _as_read(text: str) -> str:
    bare = json.loads(text)
    return json.dumps(document_of(array_from_document(bare), bare))


def document_of(array: zarr.Array[Any], stored: Document | None = None) -> Document:
    """Return the metadata of an array.

    Parameters
    ----------
    array
        An array of either format.
    stored
        What its store holds, if that is known; otherwise the store is asked about an array of
        format 2.

    Returns
    -------
    dict
        Its document. Format 2 metadata are as they are stored, with keys that Zarr does not know,
        and values that it would spell in another way.
    """
    document = _as_zarr_writes(array)
    if document["zarr_format"] == 2:
        held = read_json(array.store_path / ".zarray") if stored is None else dict(stored)
        return {**document, **_stored_keys(held, document)}
    return {**document, "fill_value": _spell_nan(array.metadata.fill_value, document["fill_value"])}


def _as_zarr_writes(array: zarr.Array[Any]) -> Document:
    """Return the document that Zarr would write, which holds less than the one that it read."""
    files = {key: json.loads(text) for key, text in files_of(array).items()}
    if "zarr.json" in files:
        return dict(files["zarr.json"])
    return {**files[".zarray"], "attributes": files.get(".zattrs", {})}


def files_of(array: zarr.Array[Any]) -> dict[str, bytes]:
    """Return the metadata objects that Zarr would write, by their names."""
    # zarr 3.4 serializes rectilinear grids only with this setting, which may have changed since
    # the array was opened.
    irregular = {"array.rectilinear_chunks": True} if _is_irregular(array) else {}
    with quiet(), zarr.config.set(irregular):
        buffers = array.metadata.to_buffer_dict(default_buffer_prototype())
    return {key: buffer.to_bytes() for key, buffer in buffers.items()}


def _is_irregular(array: zarr.Array[Any]) -> bool:
    grid = getattr(array.metadata, "chunk_grid", None) if array.metadata.zarr_format == 3 else None
    return hasattr(grid, "chunk_shapes")


def _stored_keys(stored: Document, document: Document) -> Document:
    """Return the content of ``.zarray``, or as much of it as holds for an array.

    Other programs, such as NCZarr, keep keys of their own there; Zarr 2 wrote 0 as the fill value
    of strings, where Zarr 3 writes "".
    """
    stored.pop("attributes", None)  # a key of nobody's: attributes are stored in .zattrs
    bare = {**document, "attributes": {}}
    try:
        same = _as_zarr_writes(array_from_document({**stored, "attributes": {}})) == bare
    except REFUSALS:
        same = False
    # Otherwise the array, such as one opened with consolidated metadata, is not what is stored.
    return stored if same else {key: stored[key] for key in stored if key not in document}


def _spell_nan(value: Any, spelled: Any) -> Any:
    """Spell a NaN by its bits unless they are the usual ones; Zarr reads this but never writes it.

    Parameters
    ----------
    value
        Fill value.
    spelled
        Fill value as Zarr writes it to format 3 metadata.
    """
    scalar = np.asarray(value)
    if scalar.dtype.kind == "c" and isinstance(spelled, list):
        return [_spell_nan(*pair) for pair in zip((scalar.real, scalar.imag), spelled, strict=True)]
    if scalar.dtype.kind != "f" or spelled != "NaN":
        return spelled
    bits = scalar.astype(scalar.dtype.newbyteorder(">")).tobytes().hex()
    usual = np.array(np.nan, scalar.dtype.newbyteorder(">")).tobytes().hex()
    return spelled if bits == usual else f"0x{bits}"
