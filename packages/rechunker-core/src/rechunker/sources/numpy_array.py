"""Numpy arrays as sources: values of a dataset that are in memory."""

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
    """Gives parts of an array in memory; the values travel to the workers with it.

    Parameters
    ----------
    values
        The array.
    sizes
        Sizes of the units along every axis.
    """

    values: npt.NDArray[Any]
    sizes: Grid

    def __repr__(self) -> str:
        return f"NumpyReader({self._digest})"

    @cached_property
    def _digest(self) -> str:
        """What tells these values from others."""
        values = self.values
        if is_variable_length(values.dtype):
            content = hashlib.sha256(repr(values.tolist()).encode())
        else:
            raw = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
            content = hashlib.sha256(raw.data)
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
    """Return what the planner and the tasks need to know of an array in memory.

    Parameters
    ----------
    values
        The array, which is in memory anyway and so not counted.
    unit
        In what parts to read it; best those in which it is written.
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
        unit_bytes=None,  # the box is a copy, so that cut-off units have room for their padding
    )
