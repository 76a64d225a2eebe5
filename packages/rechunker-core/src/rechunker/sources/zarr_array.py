"""Zarr arrays as sources."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import zarr

from rechunker.copying import RegionReader, StoredArray, ZarrReader, has_any_length
from rechunker.metadata import (
    ArrayOptions,
    dimension_names,
    document_of,
    normalize_chunks,
    parse_options,
    target_document,
)
from rechunker.sources.base import ArrayRequest, Hierarchy, SourceArray
from rechunker.sources.element_size import average_bytes, with_margin
from rechunker.stores import access

__all__ = ["array_hierarchy", "regular_chunks", "request_array", "zarr_source"]

# Chunks that are looked at for their sizes, and those of elements of any length.
_SAMPLED = 3


def zarr_source(array: zarr.Array[Any]) -> SourceArray:
    """Return what the planner and the tasks need to know of a Zarr array.

    Parameters
    ----------
    array
        Of any format and dtype, sharded or not.
    """
    itemsize = element_bytes(array)
    if regular_chunks(array) is None:
        return _irregular_source(array, itemsize)
    stored = StoredArray.of(array.store_path, document_of(array), itemsize)
    return SourceArray(
        reader=ZarrReader(stored),
        shape=stored.shape,
        itemsize=itemsize,
        grid=stored.unit,
        read_bytes=stored.codec.read_bytes,
        unit_bytes=prod(stored.unit) * itemsize if stored.codec.whole else None,
        stored_ratio=_stored_ratio(stored),
    )


def _stored_ratio(stored: StoredArray) -> float:
    """Return stored bytes per decoded byte, from the sizes of some objects."""
    if 0 in stored.shape:
        return 1.0
    sizes = [access.size(stored.store, stored.key(index)) for index in _some_units(stored)]
    known = [size for size in sizes if size is not None]
    whole = prod(stored.unit) * stored.itemsize
    return sum(known) / (whole * len(known)) if known else 1.0


def _some_units(stored: StoredArray) -> list[tuple[int, ...]]:
    """Return the indices of some units, the first one and the last one among them."""
    last = [(n - 1) // width for n, width in zip(stored.shape, stored.unit, strict=True)]
    parts = range(_SAMPLED)
    found = (tuple(index * part // (_SAMPLED - 1) for index in last) for part in parts)
    return list(dict.fromkeys(found))


def _irregular_source(array: zarr.Array[Any], itemsize: int) -> SourceArray:
    grid = tuple(tuple(map(int, sizes)) for sizes in _block_sizes(array))
    largest = prod(max(sizes, default=0) for sizes in grid) * itemsize
    # Zarr holds a chunk encoded, decoded, and in the array it returns.
    return SourceArray(RegionReader(array, grid), array.shape, itemsize, grid, 4 * largest, largest)


def _block_sizes(array: Any) -> Any:
    return array.read_chunk_sizes  # zarr 3.2 and later, which alone open such arrays


def regular_chunks(array: zarr.Array[Any]) -> tuple[int, ...] | None:
    """Return the chunks of an array (those inside a shard), or None if they differ in size.

    Parameters
    ----------
    array
        Any Zarr array.
    """
    try:
        return tuple(array.chunks)
    except NotImplementedError:  # what zarr 3.4 says for a rectilinear grid
        return None


def element_bytes(array: zarr.Array[Any]) -> int:
    """Return the bytes of one element; of any length, an estimate from some of the chunks."""
    if not has_any_length(array.dtype):
        return int(array.dtype.itemsize)
    if 0 in array.shape:
        return with_margin(0)
    unit = array.shards or regular_chunks(array) or array.shape
    last = [(n - 1) // width for n, width in zip(array.shape, unit, strict=True)]
    largest = 0
    for part in range(_SAMPLED):
        start = [i * part // (_SAMPLED - 1) * width for i, width in zip(last, unit, strict=True)]
        region = tuple(slice(lo, lo + width) for lo, width in zip(start, unit, strict=True))
        largest = max(largest, average_bytes(np.asarray(array[region])))
    return with_margin(largest)


def array_hierarchy(
    array: zarr.Array[Any], chunks: Any, options: Mapping[str, Any] | None, zarr_format: Any
) -> Hierarchy:
    """Return what an array becomes.

    Parameters
    ----------
    array
        Any Zarr array.
    chunks
        Its target chunks.
    options
        Keywords of zarr's array creation.
    zarr_format
        Of the group that is to hold it; None if it is in no group.
    """
    parsed = parse_options(options).in_group(zarr_format)
    request = request_array("", array, chunks, parsed)
    return Hierarchy(
        arrays=(request,),
        groups=None,
        zarr_format=request.document["zarr_format"],
        overwrite=frozenset([""] if parsed.overwrite else []),
    )


def request_array(
    name: str, array: zarr.Array[Any], chunks: Any, options: ArrayOptions
) -> ArrayRequest:
    """Return one array of a target.

    Parameters
    ----------
    name
        Its path within the target.
    array
        Its source.
    chunks
        Its target chunks.
    options
        What is to differ from the source.
    """
    what = f"target_chunks[{name!r}]" if name else "target_chunks"
    default = regular_chunks(array)
    if default is None and (chunks is None or isinstance(chunks, Mapping)):
        raise ValueError(f"{what}: the source's chunks differ in size; give one size per axis")
    wanted = normalize_chunks(chunks, array.shape, dimension_names(array), default, what=what)
    document = target_document(array, None if chunks is None else wanted, options)
    return ArrayRequest(name, zarr_source(array), document, bool(options.write_empty_chunks))
