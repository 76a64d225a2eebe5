"""NumPy arrays as sources: given as they are, or the variables of a dataset that are in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rechunker.copying import Lane, Piece, Reader, is_variable_length
from rechunker.metadata import chunk_shapes, parse_options
from rechunker.planning import Box, Grid, block
from rechunker.sources.base import ArrayRequest, Hierarchy, SourceArray
from rechunker.sources.default_array import default_document
from rechunker.sources.element_size import average_bytes, with_margin
from rechunker.stores import absolute_origins

__all__ = ["NumpyReader", "numpy_hierarchy", "numpy_source"]


@dataclass(frozen=True, eq=False)
class NumpyReader(Reader):
    """Reads units of an array in memory; its values are sent to the workers.

    Parameters
    ----------
    values
        Array to read.
    sizes
        Sizes of the units along every axis.
    """

    values: npt.NDArray[Any]
    sizes: Grid

    def __repr__(self) -> str:
        return f"NumpyReader({self._digest})"

    @cached_property
    def _digest(self) -> str:
        """Dtype, shape and hash of the values."""
        values = self.values
        if is_variable_length(values.dtype):
            content = hashlib.sha256(repr(values.tolist()).encode())
        else:
            flat = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
            content = hashlib.sha256(flat.data)
        return f"{values.dtype} {values.shape} {content.hexdigest()}"

    @property
    def grid(self) -> Grid:
        return self.sizes

    @property
    def identity(self) -> str:
        return repr(self)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.values.dtype

    def pieces(self, index: tuple[int, ...], box: Box, lane: Lane) -> Iterator[Piece]:
        unit = block(self.values.shape, self.grid, index)
        part = self.values[unit.slices((0,) * len(index))]
        lane.count(gets=1, bytes_read=part.nbytes)
        yield unit.start, part


def numpy_source(values: npt.NDArray[Any], unit: tuple[int, ...]) -> SourceArray:
    """Return the source array of values in memory.

    Parameters
    ----------
    values
        Array to read. It is in memory already, so tasks do not count it.
    unit
        Shape of the units to read; best is that of the units to write.
    """
    return SourceArray(
        reader=NumpyReader(values, unit),
        shape=values.shape,
        itemsize=_itemsize(values),
        grid=unit,
        read_bytes=0,
        unit_bytes=None,  # tasks copy into a buffer, so units at the edge have room for padding
    )


def _itemsize(values: npt.NDArray[Any]) -> int:
    """Return the bytes of an element; the average for elements of variable length."""
    if is_variable_length(values.dtype):
        return with_margin(average_bytes(values))
    return max(1, values.dtype.itemsize)


def numpy_hierarchy(
    values: npt.NDArray[Any],
    chunks: Any,
    options: Mapping[str, Any] | None,
    zarr_format: Any,
    limit: int,
) -> Hierarchy:
    """Return the hierarchy of an array in memory: a single array.

    Parameters
    ----------
    values
        Array to read, which travels with the plan.
    chunks
        Target chunks, as `normalize_chunks` takes them; names are those in ``dimension_names``.
        None for a single chunk.
    options
        Keywords of `zarr.create_array`.
    zarr_format
        Zarr format of the group that will hold the target; None if there is no such group.
    limit
        Bytes of a stored object that fit in memory.

    Raises
    ------
    TypeError, ValueError
        If the array is masked, or the chunks or the options are not allowed for it.
    """
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(
            "the source is a masked array, and Zarr stores no masks; fill it with its filled(...)"
        )
    parsed = parse_options(options, limit=limit).in_group(zarr_format)
    document = default_document(values, chunks, parsed, values.shape, _itemsize(values))
    unit = chunk_shapes(document).stored
    return Hierarchy(
        arrays=(
            ArrayRequest(
                "",
                numpy_source(np.asarray(values), unit),
                document,
                bool(parsed.write_empty_chunks),
            ),
        ),
        groups=None,
        zarr_format=document["zarr_format"],
        overwrite=frozenset([""] if parsed.overwrite else []),
        origins=absolute_origins([values]),
    )
