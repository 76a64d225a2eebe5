"""Pieces: parts of an array on their way from a store to a box."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy.typing as npt

__all__ = ["Piece"]

Piece: TypeAlias = tuple[tuple[int, ...], npt.NDArray[Any]]
"""Position of the first element along every axis, and the elements.

Valid only until the next piece is requested: the memory is used again.
"""
