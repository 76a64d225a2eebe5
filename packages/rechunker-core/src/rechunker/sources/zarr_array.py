"""Zarr arrays as sources."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import zarr

from rechunker.copying import RegionReader, StoredArray, ZarrReader, is_variable_length
from rechunker.metadata import (
    ArrayOptions,
    Document,
    Shape,
    chunk_shapes,
    dimension_names,
    document_of,
    normalize_chunks,
    parse_options,
    target_document,
)
from rechunker.sources.base import ArrayRequest, Hierarchy, SourceArray
from rechunker.sources.element_size import average_bytes, with_margin
from rechunker.stores import access

__all__ = ["array_hierarchy", "request_array", "zarr_source"]

# Number of stored objects whose sizes are sampled, and of chunks of variable-length elements.
_SAMPLED = 3


def zarr_source(array: zarr.Array[Any], document: Document) -> SourceArray:
    """Describe a Zarr array to the planner and to the tasks.

    Parameters
    ----------
    array
        A Zarr array of any format and dtype, sharded or not.
    document
        Its metadata.
    """
    shapes = chunk_shapes(document)
    if shapes.chunks is None:
        return _irregular_source(array)
    itemsize = _element_bytes(array, shapes.stored)
    stored = StoredArray.of(array.store_path, document, itemsize)
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
    """Return stored bytes per decoded byte, from the sizes of a few objects."""
    if 0 in stored.shape:
        return 1.0
    sizes = [
        access.size(stored.store, stored.key(index)) for index in _sample(stored.shape, stored.unit)
    ]
    known = [size for size in sizes if size is not None]
    whole = prod(stored.unit) * stored.itemsize
    return sum(known) / (whole * len(known)) if known else 1.0


def _sample(shape: Shape, unit: Shape) -> list[tuple[int, ...]]:
    """Return the grid indices of a few units, among them the first and the last."""
    last = [(n - 1) // width for n, width in zip(shape, unit, strict=True)]
    parts = range(_SAMPLED)
    found = (tuple(index * part // (_SAMPLED - 1) for index in last) for part in parts)
    return list(dict.fromkeys(found))


def _irregular_source(array: zarr.Array[Any]) -> SourceArray:
    itemsize = _element_bytes(array, array.shape)
    grid = tuple(tuple(map(int, sizes)) for sizes in _chunk_sizes(array))
    largest = prod(max(sizes, default=0) for sizes in grid) * itemsize
    # Zarr holds a chunk encoded, decoded, and in the array that it returns.
    return SourceArray(RegionReader(array, grid), array.shape, itemsize, grid, 4 * largest, largest)


def _chunk_sizes(array: Any) -> Any:
    return array.read_chunk_sizes  # exists since zarr 3.2, the first that opens irregular grids


def _element_bytes(array: zarr.Array[Any], unit: Shape) -> int:
    """Return the bytes of one element: an estimate from a few units if their length varies."""
    if not is_variable_length(array.dtype):
        return int(array.dtype.itemsize)
    if 0 in array.shape:
        return with_margin(0)
    largest = 0
    for index in _sample(array.shape, unit):
        starts = [i * width for i, width in zip(index, unit, strict=True)]
        region = tuple(slice(lo, lo + width) for lo, width in zip(starts, unit, strict=True))
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
        origins=(array.store_path,),
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
    source = document_of(array)
    default = chunk_shapes(source).chunks
    if default is None and (chunks is None or isinstance(chunks, Mapping)):
        raise ValueError(f"{what}: the source's chunks differ in size; give one size per axis")
    wanted = normalize_chunks(chunks, array.shape, dimension_names(array), default, what=what)
    document = target_document(array, None if chunks is None else wanted, options)
    return ArrayRequest(
        name, zarr_source(array, source), document, bool(options.write_empty_chunks)
    )
