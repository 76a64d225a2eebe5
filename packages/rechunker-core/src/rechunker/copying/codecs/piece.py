"""Pieces: parts of an array on their way from a store to a box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy.typing as npt

from rechunker.planning import Box

__all__ = ["Piece", "view_of"]

Piece: TypeAlias = tuple[tuple[int, ...], npt.NDArray[Any]]
"""Position of the first element along every axis, and the elements.

Valid only until the next piece is requested: the memory is used again.
"""


def view_of(data: npt.NDArray[Any], start: Sequence[int], box: Box) -> npt.NDArray[Any]:
    """Return the part of a piece that lies in a box; it is an array even if it has no axes."""
    index: Any = (*box.slices(start), ...)
    view: npt.NDArray[Any] = data[index]
    return view
