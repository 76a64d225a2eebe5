"""Dask arrays as sources."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import zarr
from zarr.storage import MemoryStore

from rechunker.copying import is_variable_length
from rechunker.metadata import (
    REFUSALS,
    ArrayOptions,
    codec_name,
    normalize_chunks,
    parse_options,
    quiet,
    refusal,
    target_document,
)
from rechunker.planning import axis_widest, regular_grid, simplify_axis
from rechunker.sources.base import ArrayRequest, Hierarchy, SourceArray
from rechunker.sources.dask.private import block_sizes, foreign_block_type, opened_by
from rechunker.sources.dask.reader import DaskReader
from rechunker.sources.element_size import average_bytes, with_margin

__all__ = [
    "dask_hierarchy",
    "dask_source",
    "is_dask_array",
    "regular_blocks",
]

# What is assumed to be held while a block is computed, in blocks of the largest array on the way:
# a chunk as stored and as read, two operands, or the pieces and the whole of a new block.
_HELD = 4
# From this size on it is worth the time to give memory back to the system after each block.
_LARGE = 1 << 23


def is_dask_array(source: Any) -> bool:
    """Say whether this is a dask array; dask is not imported to find out."""
    dask = sys.modules.get("dask.array")
    return dask is not None and isinstance(source, dask.Array)


def dask_source(array: Any) -> SourceArray:
    """Return what the planner and the tasks need to know of a dask array.

    Parameters
    ----------
    array
        A dask array.

    Raises
    ------
    ValueError, TypeError
        If its blocks cannot be copied one by one.

    Notes
    -----
    Computing a block is taken to hold the block and four times the largest block of any array
    that the graph tells of.
    """
    _check_blocks(array)
    reader = DaskReader(array, _holds_futures(array))
    itemsize = _element_bytes(reader)
    widest = tuple(map(axis_widest, array.shape, reader.grid))
    nbytes = prod(widest) * itemsize
    cut = any(n % max(1, width) for n, width in zip(array.shape, widest, strict=True))
    read_bytes = nbytes + _HELD * max(nbytes, *block_sizes(array), 0)
    return SourceArray(
        reader=replace(reader, is_large=read_bytes >= _LARGE),
        shape=tuple(array.shape),
        itemsize=itemsize,
        grid=reader.grid,
        read_bytes=read_bytes,
        unit_bytes=(2 if cut else 1) * nbytes,  # a block that is cut off is copied to be padded
    )


def _check_blocks(array: Any) -> None:
    if any(math.isnan(n) for sizes in array.chunks for n in sizes):
        raise ValueError(
            f"the sizes of the chunks of {array} are not known; call its compute_chunk_sizes(), "
            "which computes the array once, and give what it returns"
        )
    kind = foreign_block_type(array)
    if kind is not None:
        raise TypeError(
            f"the blocks of {array} are of type {kind.__module__}.{kind.__qualname__}; "
            "give one of numpy arrays, such as dask.array.ma.filled(array) or "
            "array.map_blocks(numpy.asarray)"
        )


def _holds_futures(array: Any) -> bool:
    """Say whether blocks are futures; without distributed there are none."""
    distributed = sys.modules.get("distributed")
    return distributed is not None and bool(distributed.futures_of(array))


def _element_bytes(reader: DaskReader) -> int:
    """Return the bytes of one element; of any length, an estimate from the first block."""
    if not is_variable_length(reader.dtype):
        return max(1, reader.dtype.itemsize)
    if reader.holds_futures or 0 in reader.array.shape:
        return with_margin(64)
    return with_margin(average_bytes(reader.first_block()))


def regular_blocks(array: Any) -> tuple[int, ...] | None:
    """Return the chunks of a dask array as Zarr has them, or None if they differ in size.

    Parameters
    ----------
    array
        A dask array.
    """
    axes = [tuple(n for n in sizes if n) for sizes in array.chunks]
    return regular_grid(tuple(map(simplify_axis, array.shape, axes)))


def dask_hierarchy(
    array: Any, chunks: Any, options: Mapping[str, Any] | None, zarr_format: Any
) -> Hierarchy:
    """Return what a dask array becomes.

    Parameters
    ----------
    array
        A dask array.
    chunks
        Its target chunks.
    options
        Keywords of zarr's array creation.
    zarr_format
        Of the group that is to hold it; None if it is in no group.
    """
    source = dask_source(array)
    parsed = parse_options(options).in_group(zarr_format)
    default = regular_blocks(array)
    if default is None and (chunks is None or isinstance(chunks, Mapping)):
        raise ValueError(
            f"target_chunks: the source's chunks differ in size, {array.chunks}; give all sizes of "
            "the target"
        )
    names = parsed.named.get("dimension_names")
    wanted = normalize_chunks(chunks, array.shape, names, default)
    document = target_document(_stand_in(array, wanted, parsed), wanted, parsed)
    request = ArrayRequest("", source, document, bool(parsed.write_empty_chunks))
    return Hierarchy(
        arrays=(request,),
        groups=None,
        zarr_format=document["zarr_format"],
        overwrite=frozenset([""] if parsed.overwrite else []),
        origins=tuple(o.store_path for o in opened_by(array).values() if isinstance(o, zarr.Array)),
    )


def _stand_in(array: Any, chunks: tuple[int, ...], options: ArrayOptions) -> zarr.Array[Any]:
    """Return an empty Zarr array that is what Zarr makes of an array like this, unasked."""
    dtype = str if _is_text(array.dtype, options) else array.dtype
    if np.dtype(dtype).kind == "O" and dtype is not str:
        raise TypeError(
            f"{array} holds objects, and Zarr must know what they are; give "
            "array.astype(numpy.dtypes.StringDType()) if they are strings, another dtype if they "
            "are not, or target_options={'filters': numcodecs.VLenUTF8()}"
        )
    try:
        with quiet():
            return zarr.create_array(
                MemoryStore(),
                shape=array.shape,
                chunks=chunks,
                dtype=dtype,
                zarr_format=options.zarr_format,
            )
    except REFUSALS as error:
        raise refusal(f"Zarr cannot store elements of dtype {array.dtype}", error) from error


def _is_text(dtype: np.dtype[Any], options: ArrayOptions) -> bool:
    """Say whether objects are strings, as the codec that is given for them tells."""
    words = [options.named.get(word) for word in ("filters", "serializer")]
    codecs = [c for given in words for c in (given if isinstance(given, list | tuple) else [given])]
    return dtype.kind == "O" and any(codec_name(codec) == "vlen-utf8" for codec in codecs)
