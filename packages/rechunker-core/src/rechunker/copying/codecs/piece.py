"""Pieces: parts of an array on their way from a store to a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy.typing as npt

from rechunker.planning import Box

__all__ = ["Piece", "part_of"]

Piece: TypeAlias = tuple[tuple[int, ...], npt.NDArray[Any]]
"""Position of the first element along every axis, and the elements.

Valid only until the next piece is requested: the memory is used again.
"""


def part_of(start: Sequence[int], data: npt.NDArray[Any], box: Box) -> tuple[Box, npt.NDArray[Any]]:
    """Return the part of a piece that lies in a box: where it is, and a view of its elements."""
    stop = tuple(lo + n for lo, n in zip(start, data.shape, strict=True))
    part = Box(tuple(start), stop) & box
    return part, data[part.slices(start)]
