"""Zarr arrays as sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import zarr

from rechunker.copying import (
    Lane,
    Lanes,
    RegionReader,
    ShardReader,
    StoredArray,
    ZarrReader,
    is_variable_length,
)
from rechunker.metadata import (
    REFUSALS,
    ArrayOptions,
    Document,
    chunk_shapes,
    dimension_names,
    normalize_chunks,
    parse_options,
    refusal,
    target_document,
)
from rechunker.planning import block
from rechunker.sources.base import ArrayRequest, Hierarchy, SourceArray
from rechunker.sources.element_size import average_bytes, with_margin
from rechunker.sources.looks import Look, Opened, opened, sample
from rechunker.sources.target_chunks import ArrayChunks
from rechunker.stores import (
    absolute_array,
    absolute_place,
    access,
    node_digest,
)

__all__ = ["array_hierarchy", "request_array", "zarr_source"]

# Elements of a chunk that is decoded to see how long they are. Larger ones may not fit in memory,
# so that their elements are taken for texts of this many bytes.
_MOST_SAMPLED, _UNKNOWN = 1 << 22, 64
# Chunks along an axis whose sizes differ: all sizes are held in memory.
_MOST_IRREGULAR = 1 << 22


def zarr_source(
    array: zarr.Array[Any], document: Document, whose: str, look: Look | None = None
) -> SourceArray:
    """Return the source array of a Zarr array.

    Parameters
    ----------
    array
        Zarr array of any format and dtype, sharded or not.
    document
        Metadata of the array.
    whose
        What error messages call the array.
    look
        What its store says about it; asked for if it is None.

    Raises
    ------
    TypeError, ValueError
        If its metadata are not those of an array that can be read.
    """
    try:
        return _source(array, document, look)
    except REFUSALS as error:
        raise refusal(f"{whose} cannot be read", error) from error


def _source(array: zarr.Array[Any], document: Document, look: Look | None) -> SourceArray:
    array = absolute_array(array)
    shapes = chunk_shapes(document)
    if shapes.chunks is None:
        return _irregular_source(array)
    itemsize = _element_bytes(array, document)
    stored = StoredArray.of(array.store_path, document, itemsize)
    look = look or Look.at(stored)
    stored = replace(
        stored,
        digest=look.digest,
        missing_is_error=not getattr(array.config, "read_missing_chunks", True),  # zarr 3.4
        stored_keys=look.keys,
    )
    return SourceArray(
        reader=ZarrReader(stored),
        shape=stored.shape,
        itemsize=itemsize,
        grid=stored.unit,
        read_bytes=stored.codec.read_bytes,
        unit_bytes=prod(stored.unit) * itemsize if stored.codec.whole else None,
        stored_ratio=_stored_ratio(stored, look.sizes),
        shards=ShardReader.of(stored),
    )


def _stored_ratio(stored: StoredArray, sizes: Iterable[int | None]) -> float:
    """Return the stored bytes per decoded byte of a few objects."""
    known = [size for size in sizes if size is not None]
    whole = prod(stored.unit) * stored.itemsize
    return sum(known) / (whole * len(known)) if known else 1.0


def _irregular_source(array: zarr.Array[Any]) -> SourceArray:
    grid = tuple(tuple(map(int, sizes)) for sizes in _chunk_sizes(array))
    itemsize = int(array.dtype.itemsize)
    if is_variable_length(array.dtype):
        first = tuple(slice(0, max(sizes[:1], default=0)) for sizes in grid)
        itemsize = with_margin(average_bytes(np.asarray(array[first])))
    largest = prod(max(sizes, default=0) for sizes in grid) * itemsize
    # Zarr holds a chunk encoded, decoded, and in the array that it returns, and its threads, or
    # those of zarrs, keep freed memory: 5.8 times a chunk of 2 MB was measured.
    reader = RegionReader(array, grid, node_digest(array.store_path))
    return SourceArray(reader, array.shape, itemsize, grid, 6 * largest, largest)


def _chunk_sizes(array: Any) -> Any:
    for n, sizes in zip(array.shape, array.metadata.chunk_grid.chunk_shapes, strict=True):
        if isinstance(sizes, int) and n > sizes * _MOST_IRREGULAR:
            raise ValueError(
                f"an axis of {n} elements has chunks of {sizes}, more than {_MOST_IRREGULAR} of "
                "them, and another axis has chunks that differ in size; rechunk it with Zarr to "
                "larger chunks first"
            )
    return array.read_chunk_sizes  # new in Zarr 3.2, the first version with irregular grids


def _element_bytes(array: zarr.Array[Any], document: Document) -> int:
    """Return the bytes of one element; estimate variable-length elements from a few units."""
    if not is_variable_length(array.dtype):
        return int(array.dtype.itemsize)
    if 0 in array.shape:
        return with_margin(0)
    stored = StoredArray.of(array.store_path, document, with_margin(0))
    largest = average_bytes(stored.blank.reshape(1))
    if prod(chunk_shapes(document).chunks or ()) > _MOST_SAMPLED:
        return with_margin(max(largest, _UNKNOWN))
    with Lanes(1) as lanes:
        for index in sample(stored.shape, stored.unit):
            largest = max(largest, _average_in(stored, index, lanes.first))
    return with_margin(largest)


def _average_in(stored: StoredArray, index: tuple[int, ...], lane: Lane) -> int:
    """Return the average bytes of the elements in one stored object; 0 if it is missing."""
    (size,) = access.sizes(stored.store, [stored.key(index)])
    if size is None:
        return 0
    pieces = ZarrReader(stored).pieces(index, block(stored.shape, stored.unit, index), lane)
    try:
        return max(average_bytes(part) for _, part in pieces)
    except REFUSALS as error:
        raise refusal(f"{stored.locate(index)} cannot be decoded", error) from error


def array_hierarchy(
    array: zarr.Array[Any],
    chunks: Any,
    options: Mapping[str, Any] | None,
    zarr_format: Any,
    limit: int,
) -> Hierarchy:
    """Return the hierarchy of a Zarr array: a single array.

    Parameters
    ----------
    array
        Any Zarr array.
    chunks
        Target chunks, as `normalize_chunks` takes them.
    options
        Keywords of `zarr.create_array` that differ from the source.
    zarr_format
        Zarr format of the group that will hold the target; None if there is no such group.
    limit
        Bytes of a stored object that fit in memory.

    Raises
    ------
    TypeError, ValueError
        If the chunks or the options are not allowed for this array.
    """
    parsed = parse_options(options, limit=limit).in_group(zarr_format)
    wanted = ArrayChunks(chunks, "target_chunks")
    request = request_array("", opened(array, "the source"), wanted, parsed)
    return Hierarchy(
        arrays=(request,),
        groups=None,
        zarr_format=request.document["zarr_format"],
        overwrite=frozenset([""] if parsed.overwrite else []),
        origins=(absolute_place(array.store_path),),
    )


def request_array(
    name: str,
    source: Opened,
    wanted: ArrayChunks,
    options: ArrayOptions,
    look: Look | None = None,
) -> ArrayRequest:
    """Return the request to rechunk one Zarr array.

    Parameters
    ----------
    name
        Path of the target array within the target; "" if the target is an array.
    source
        Zarr array to read.
    wanted
        Target chunks.
    options
        Options that differ from the source.
    look
        What the store of the array says about it; asked for if it is None.

    Raises
    ------
    TypeError, ValueError
        If the chunks or the options are not allowed for this array.
    """
    whose = f"array {name!r} of the source" if name else "the source"
    array, found, _ = source
    chunks, what = None if wanted.chunks == {} else wanted.chunks, wanted.what
    default = chunk_shapes(found).chunks
    if default is None and chunks is None:
        raise ValueError(
            f"{what}={wanted.chunks!r}: the chunks of the source differ in size, so none can be "
            "kept; give a tuple with one size per axis"
        )
    read = zarr_source(array, found, whose, look)
    if chunks is not None:
        dims, sizes = dimension_names(array, found), {"itemsize": read.itemsize}
        chunks = normalize_chunks(
            chunks, array.shape, dims, default, what=what, limit=options.limit, **sizes
        )
    document = target_document(array, chunks, options, found, read.itemsize)
    return ArrayRequest(name, read, document, bool(options.write_empty_chunks))
