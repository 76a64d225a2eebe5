"""Contents: what is known of the arrays at a place, and chunks that would suit their reads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import zarr

import rechunker
from rechunker.cli.chunk_texts import chunks_to_texts, parse_chunks
from rechunker.sizes import format_bytes, parse_bytes
from rechunker.stores import disk_path, find_members

__all__ = ["ArrayInfo", "Suggestions", "contents_of", "suggestions_for"]

Shape = tuple[int, ...]

# What an encoding of Xarray says about the codecs of a variable.
_ENCODING = ("compressors", "compressor", "filters", "zlib", "complevel", "shuffle", "compression")


@dataclass(frozen=True)
class ArrayInfo:
    """An array as it is stored.

    Parameters
    ----------
    name
        Path in the store; "" for a single array.
    shape, dtype, dims
        Shape, data type, and names of dimensions if it has any.
    chunks, shards
        Shapes of a chunk and of a shard; None if there are none, or they are irregular.
    codecs
        Filters and compressors, in the form of ``--codec``.
    nbytes
        Decoded bytes of all elements.
    stored
        Stored bytes; None if unknown.
    """

    name: str
    shape: Shape
    dtype: str
    dims: tuple[str | None, ...] | None
    chunks: Shape | None
    shards: Shape | None
    codecs: tuple[str, ...]
    nbytes: int
    stored: int | None

    @property
    def itemsize(self) -> int:
        """Decoded bytes of an element, 1 or more."""
        return max(1, self.nbytes // max(1, math.prod(self.shape)))

    def __str__(self) -> str:
        axes = ", ".join(
            str(n) if name is None else f"{name}={n}"
            for n, name in zip(self.shape, self.dims or [None] * len(self.shape), strict=True)
        )
        stored = "" if self.stored is None else f", {format_bytes(self.stored)} stored"
        lines = [
            f"{self.name or 'array'} ({axes}) {self.dtype}, {format_bytes(self.nbytes)}{stored}"
        ]
        for what, block in (("chunks", self.chunks), ("shards", self.shards)):
            if block is not None:
                number = math.prod(
                    -(-n // max(1, c)) for n, c in zip(self.shape, block, strict=True)
                )
                size = format_bytes(math.prod(block) * self.itemsize)
                lines.append(f"  {what} {block}: {number:,} of {size}")
        return "\n".join([*lines, f"  codecs {' '.join(self.codecs) or 'none'}"])


def contents_of(values: Any, stored: bool | None) -> list[ArrayInfo]:
    """Return what is known of all arrays.

    Parameters
    ----------
    values
        A Zarr array or group, or a dataset or tree of Xarray.
    stored
        Whether to add up the sizes of stored objects; None to do so where they are files.
    """
    if isinstance(values, zarr.Array):
        return [_of_array("", values, stored)]
    if isinstance(values, zarr.Group):
        return [_of_array(name, array, stored) for name, array in _arrays(values)]
    return [_of_variable(name, variable) for name, variable in _variables(values)]


def _arrays(group: zarr.Group) -> Iterator[tuple[str, zarr.Array[Any]]]:
    """Open the arrays in a group, which are found as `rechunk` finds them: metadata may be bad."""
    members = find_members(group.store_path, group.metadata.zarr_format)
    for name in sorted(name for name, member in members.items() if member.kind == "array"):
        try:
            yield name, zarr.open_array(group.store_path / name, mode="r")
        except (ValueError, TypeError, LookupError) as error:
            raise ValueError(f"array {name!r} cannot be opened: {error}") from error


def _of_array(name: str, array: zarr.Array[Any], stored: bool | None) -> ArrayInfo:
    chunks: Shape | None = None
    shards: Shape | None = None
    with suppress(NotImplementedError):  # of irregular chunks
        chunks, shards = array.chunks, array.shards
    names = getattr(array.metadata, "dimension_names", None)
    names = names or array.attrs.get("_ARRAY_DIMENSIONS")
    dims = tuple(names) if isinstance(names, list | tuple) else None
    if dims is not None and len(dims) != array.ndim:
        dims = None  # of another program, perhaps
    codecs = (*array.filters, array.serializer, *array.compressors)
    return ArrayInfo(
        *(name, array.shape, str(array.dtype), dims, chunks, shards),
        tuple(filter(None, map(_codec_text, codecs))),
        array.nbytes,
        _stored_bytes(array, stored),
    )


def _stored_bytes(array: zarr.Array[Any], wanted: bool | None) -> int | None:
    folder = None if wanted is False else disk_path(array.store_path)
    if folder is not None:
        return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return int(array.nbytes_stored()) if wanted else None


def _codec_text(codec: Any) -> str:
    """Return a codec in the form of ``--codec``; "" for the one that only lays out bytes."""
    if codec is None:
        return ""
    config = codec.get_config() if hasattr(codec, "get_config") else codec.to_dict()
    name = str(config.get("id", config.get("name")))
    named = config.get("configuration", {k: v for k, v in config.items() if k != "id"})
    if name == "bytes":
        return ""
    if any(isinstance(value, list | tuple | dict) for value in named.values()):
        return json.dumps(config, default=str)
    rest = ",".join(f"{key}={_value_text(value)}" for key, value in named.items())
    return f"{name}:{rest}" if rest else name


def _value_text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool | None) else str(value)


def _variables(values: Any) -> Iterator[tuple[str, Any]]:
    """Yield the variables of a dataset, or of all nodes of a tree, with their paths."""
    nodes = values.subtree if hasattr(values, "subtree") else [values]
    for node in nodes:
        of_tree = hasattr(node, "subtree")
        around = node.path.strip("/") if of_tree else ""
        variables = node.to_dataset(inherit=False).variables if of_tree else node.variables
        for name, variable in variables.items():
            yield "/".join(filter(None, (around, str(name)))), variable


def _of_variable(name: str, variable: Any) -> ArrayInfo:
    encoding = variable.encoding
    chunks = encoding.get("chunks", encoding.get("chunksizes"))
    codecs = tuple(f"{key}={encoding[key]}" for key in _ENCODING if encoding.get(key))
    return ArrayInfo(
        *(name, tuple(variable.shape), str(encoding.get("dtype", variable.dtype))),
        tuple(map(str, variable.dims)),
        None if chunks is None else tuple(chunks),
        None if encoding.get("shards") is None else tuple(encoding["shards"]),
        codecs,
        int(variable.nbytes),
        None,
    )


@dataclass(frozen=True)
class Suggestions:
    """Chunks that suit the reads of an array.

    Parameters
    ----------
    reads
        Shapes of the reads.
    texts
        Each suggestion in the form of ``--chunks``.
    found
        The suggestions themselves.
    """

    reads: tuple[Shape, ...] = ()
    texts: tuple[str, ...] = ()
    found: tuple[rechunker.ChunkSuggestion, ...] = ()

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the suggestions as JSON has them."""
        names = ("chunks", "nbytes", "number", "touched", "seconds")
        return [
            {"text": text, **{name: getattr(each, name) for name in names}, "reads": self.reads}
            for text, each in zip(self.texts, self.found, strict=True)
        ]


def suggestions_for(of: ArrayInfo, access: Sequence[str], nbytes: str) -> Suggestions:
    """Return chunks that suit the reads of an array; none for one that is a single chunk.

    Parameters
    ----------
    of
        The array.
    access
        Shapes of reads, as texts in the form of ``--chunks``; an axis without a size is read whole.
        None at all stand for a map along the first axis, and a series.
    nbytes
        Largest number of bytes of a chunk.

    Raises
    ------
    ValueError
        If a shape cannot be that of a read.
    """
    reads = [read for text in access if (read := _read(of, text)) is not None]
    if not access:
        ndim = len(of.shape)
        reads = [(1, *[-1] * (ndim - 1)), (-1, *[1] * (ndim - 1))] if ndim > 1 else [(-1,) * ndim]
    if of.nbytes <= parse_bytes(nbytes) or not reads or not of.shape:
        return Suggestions()
    found = rechunker.suggest_chunks(of.shape, of.itemsize, access=reads, nbytes=nbytes)
    shapes = tuple(
        tuple(n if size == -1 else min(size, n) for size, n in zip(read, of.shape, strict=True))
        for read in reads
    )
    return Suggestions(shapes, tuple(_as_text(of, one.chunks) for one in found), found)


def _read(of: ArrayInfo, text: str) -> Shape | None:
    """Return the shape of a read of an array; None if the text speaks of other dimensions."""
    read = parse_chunks([text])
    if isinstance(read, Mapping):
        known = [name for name in of.dims or () if name in read]
        if not known:
            return None
        rest = read.get(..., -1)
        read = tuple(rest if name is None else read.get(name, rest) for name in of.dims or ())
    elif not isinstance(read, tuple):
        read = (read,) * len(of.shape)
    if not all(isinstance(size, int) and (size > 0 or size == -1) for size in read):
        raise ValueError(f"--access {text}: give numbers of elements, or -1 for a whole axis")
    return read if len(read) == len(of.shape) else None


def _as_text(of: ArrayInfo, chunks: Shape) -> str:
    if of.dims is None or None in of.dims or len({*of.dims}) < len(of.dims):
        return chunks_to_texts(chunks if len(chunks) > 1 else chunks[0])[0]
    return chunks_to_texts(dict(zip(of.dims, chunks, strict=True)))[0]
