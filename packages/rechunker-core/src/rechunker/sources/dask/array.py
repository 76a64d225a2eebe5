"""Source arrays and hierarchies of Dask arrays."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

from rechunker.copying import is_variable_length
from rechunker.metadata import parse_options
from rechunker.planning import axis_widest, regular_grid, simplify_axis
from rechunker.sources.base import ArrayRequest, Hierarchy, SourceArray
from rechunker.sources.dask.private import block_sizes, foreign_block_type, opened_by
from rechunker.sources.dask.reader import DaskReader
from rechunker.sources.default_array import default_document
from rechunker.sources.element_size import average_bytes, with_margin
from rechunker.stores import absolute_origins

__all__ = [
    "dask_hierarchy",
    "dask_source",
    "is_dask_array",
    "regular_blocks",
]

# Estimate of the memory to compute a block, in blocks of the largest array in the graph: a chunk
# both encoded and decoded, two operands, or the pieces and the whole of a rechunked block.
_BLOCKS_HELD = 4
# Bytes per block from which returning freed memory to the system is worth its time.
_LARGE_BLOCK = 1 << 23


def is_dask_array(source: Any) -> bool:
    """Return whether an object is a Dask array, without importing Dask.

    Parameters
    ----------
    source
        Any object.
    """
    dask = sys.modules.get("dask.array")
    return dask is not None and isinstance(source, dask.Array)


def dask_source(array: Any) -> SourceArray:
    """Return the source array of a Dask array.

    Parameters
    ----------
    array
        Dask array.

    Raises
    ------
    ValueError
        If the sizes of the blocks are unknown.
    TypeError
        If the blocks are not NumPy arrays.

    Notes
    -----
    The memory to compute a block is estimated as the block itself, plus four times the largest
    block of all arrays in the graph whose block size is known.
    """
    _check_blocks(array)
    reader = DaskReader(array, _holds_futures(array))
    itemsize = _element_bytes(reader)
    widest = tuple(map(axis_widest, array.shape, reader.grid))
    nbytes = prod(widest) * itemsize
    cut = any(n % max(1, width) for n, width in zip(array.shape, widest, strict=True))
    read_bytes = nbytes + _BLOCKS_HELD * max(nbytes, *block_sizes(array), 0)
    return SourceArray(
        reader=replace(reader, is_large=read_bytes >= _LARGE_BLOCK),
        shape=tuple(array.shape),
        itemsize=itemsize,
        grid=reader.grid,
        read_bytes=read_bytes,
        unit_bytes=(2 if cut else 1) * nbytes,  # a block at the edge is copied, to pad it
    )


def _check_blocks(array: Any) -> None:
    if any(math.isnan(n) for sizes in array.chunks for n in sizes):
        raise ValueError(
            f"the chunk sizes of {array} are unknown; call its compute_chunk_sizes(), "
            "which computes the array once, and use the array it returns"
        )
    kind = foreign_block_type(array)
    if kind is not None:
        raise TypeError(
            f"the blocks of {array} must be numpy.ndarray, "
            f"got {kind.__module__}.{kind.__qualname__}; convert them, for example with "
            "dask.array.ma.filled(array) or array.map_blocks(numpy.asarray)"
        )


def _holds_futures(array: Any) -> bool:
    """Return whether blocks are futures on a cluster; there are none without distributed."""
    distributed = sys.modules.get("distributed")
    return distributed is not None and bool(distributed.futures_of(array))


def _element_bytes(reader: DaskReader) -> int:
    """Return the bytes of one element; estimate variable-length elements from the first block."""
    if not is_variable_length(reader.dtype):
        return max(1, reader.dtype.itemsize)
    if reader.holds_futures or 0 in reader.array.shape:
        return with_margin(64)
    return with_margin(average_bytes(reader.first_block()))


def regular_blocks(array: Any) -> tuple[int, ...] | None:
    """Return the blocks of a Dask array as a Zarr chunk shape, or None if they are irregular.

    Parameters
    ----------
    array
        Dask array.
    """
    axes = [tuple(n for n in sizes if n) for sizes in array.chunks]
    return regular_grid(tuple(map(simplify_axis, array.shape, axes)))


def dask_hierarchy(
    array: Any, chunks: Any, options: Mapping[str, Any] | None, zarr_format: Any, limit: int
) -> Hierarchy:
    """Return the hierarchy of a Dask array: a single array.

    Parameters
    ----------
    array
        Dask array.
    chunks
        Target chunks, as `normalize_chunks` takes them; names are those in ``dimension_names``.
    options
        Keywords of `zarr.create_array`.
    zarr_format
        Zarr format of the group that will hold the target; None if there is no such group.
    limit
        Bytes of a stored object that fit in memory.

    Raises
    ------
    TypeError, ValueError
        If the array cannot be computed block by block, or the chunks or the options are not
        allowed for it.
    """
    source = dask_source(array)
    parsed = parse_options(options, limit=limit).in_group(zarr_format)
    default = regular_blocks(array)
    if default is None and (chunks is None or chunks == {}):
        raise ValueError(
            f"target_chunks={chunks!r}: the chunks of the source differ in size, {array.chunks}, "
            "so none can be kept; give a tuple with one size per axis"
        )
    document = default_document(array, chunks, parsed, default, source.itemsize)
    request = ArrayRequest("", source, document, bool(parsed.write_empty_chunks))
    return Hierarchy(
        arrays=(request,),
        groups=None,
        zarr_format=document["zarr_format"],
        overwrite=frozenset([""] if parsed.overwrite else []),
        origins=absolute_origins(opened_by(array).values()),
    )
