"""Buffers: the memory in which a task assembles its box, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rechunker.copying.scatter import CellLayout, scatter
from rechunker.planning import Box
from rechunker.scratch import Scratch

__all__ = [
    "CellBuffer",
    "Cells",
    "ObjectCells",
    "PackedCells",
    "ViewCells",
    "cell_buffer",
    "is_variable_length",
]


def is_variable_length(dtype: np.dtype[Any]) -> bool:
    """Return whether elements, such as strings, refer to memory of their own."""
    return bool(dtype.hasobject) or dtype.kind == "T"


class Cells(Protocol):
    """A box as the cells that are written from it.

    Attributes
    ----------
    layout
        The cells.
    raw
        All cells as bytes, back to back; None if they do not lie in one piece of memory.
    """

    layout: CellLayout
    raw: npt.NDArray[np.uint8] | None

    def cell(self, cell: Box) -> npt.NDArray[Any]:
        """Return the elements of one cell, without a copy."""
        ...


class CellBuffer(Cells, Protocol):
    """A box that is assembled in memory of its own; its cells are C-contiguous."""

    def put(self, start: Sequence[int], data: npt.NDArray[Any]) -> None:
        """Copy the part of `data` that lies in the box; `start` is its first element."""
        ...

    def fill(self, value: Any) -> None:
        """Set every element to a value."""
        ...


class PackedCells:
    """Cells of fixed-size elements, back to back in one piece of memory."""

    def __init__(self, layout: CellLayout, dtype: np.dtype[Any], memory: Scratch) -> None:
        self.layout = layout
        self.dtype = dtype
        self._bytes = memory.take(layout.nbytes(dtype.itemsize))
        self.raw: npt.NDArray[np.uint8] | None = self._bytes

    def put(self, start: Sequence[int], data: npt.NDArray[Any]) -> None:
        scatter(self.layout, self._bytes, start, data.astype(self.dtype, copy=False))

    def fill(self, value: Any) -> None:
        self._bytes.view(self.dtype)[...] = value  # only cells without gaps are padded

    def cell(self, cell: Box) -> npt.NDArray[Any]:
        first = self.layout.byte_offset(cell, self.dtype.itemsize)
        part = self._bytes[first : first + cell.size * self.dtype.itemsize]
        return part.view(self.dtype).reshape(cell.shape)


class ObjectCells:
    """Cells of variable-length elements, which refer to memory of their own."""

    raw: npt.NDArray[np.uint8] | None = None

    def __init__(self, layout: CellLayout, dtype: np.dtype[Any]) -> None:
        self.layout = layout
        self._cells = {cell.start: np.empty(cell.shape, dtype) for cell in layout.cells()}

    def put(self, start: Sequence[int], data: npt.NDArray[Any]) -> None:
        whole = Box(tuple(start), tuple(s + n for s, n in zip(start, data.shape, strict=True)))
        for cell in self.layout.cells(whole):
            part = cell & whole
            self._cells[cell.start][part.slices(cell.start)] = data[part.slices(start)]

    def fill(self, value: Any) -> None:
        for cell in self._cells.values():
            cell[...] = value

    def cell(self, cell: Box) -> npt.NDArray[Any]:
        return self._cells[cell.start]


class ViewCells:
    """Cells that are views of one array, and so not contiguous."""

    raw: npt.NDArray[np.uint8] | None = None

    def __init__(self, layout: CellLayout, start: Sequence[int], data: npt.NDArray[Any]) -> None:
        self.layout = layout
        self._start = start
        self._data = data

    def cell(self, cell: Box) -> npt.NDArray[Any]:
        elements: npt.NDArray[Any] = self._data[cell.slices(self._start)]
        return elements


def cell_buffer(layout: CellLayout, dtype: np.dtype[Any], memory: Scratch) -> CellBuffer:
    """Return a buffer for the cells of a box; its elements are not initialized.

    Parameters
    ----------
    layout
        The cells.
    dtype
        Dtype of the elements.
    memory
        Holds fixed-size elements; used again for the next box.
    """
    if is_variable_length(dtype):
        return ObjectCells(layout, dtype)
    return PackedCells(layout, dtype, memory)
