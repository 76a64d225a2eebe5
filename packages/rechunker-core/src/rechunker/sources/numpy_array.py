"""NumPy arrays as sources: the variables of a dataset that are in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rechunker.copying import Lane, Piece, Reader, is_variable_length
from rechunker.planning import Box, Grid, block
from rechunker.sources.base import SourceArray
from rechunker.sources.element_size import average_bytes, with_margin

__all__ = ["NumpyReader", "numpy_source"]


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
    itemsize = values.dtype.itemsize
    if is_variable_length(values.dtype):
        itemsize = with_margin(average_bytes(values))
    return SourceArray(
        reader=NumpyReader(values, unit),
        shape=values.shape,
        itemsize=max(1, itemsize),
        grid=unit,
        read_bytes=0,
        unit_bytes=None,  # tasks copy into a buffer, so units at the edge have room for padding
    )
