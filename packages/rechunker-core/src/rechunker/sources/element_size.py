"""How many bytes the elements of an array take that refer to memory of their own."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

__all__ = ["average_bytes", "with_margin"]


def average_bytes(values: npt.NDArray[Any]) -> int:
    """Return the average bytes that elements of any length take besides 16 for the element.

    Parameters
    ----------
    values
        Some of the elements.

    Notes
    -----
    An object of Python takes about 50 bytes and a reference to it 8; a string of numpy takes 16,
    and more than that if it has over 15 bytes.
    """
    flat = values.reshape(-1)
    return sum(map(_bytes_of, flat)) // max(1, flat.size)


def with_margin(average: int) -> int:
    """Return what to count for an element of this average, of which others may be longer."""
    return 16 + average + average // 4


def _bytes_of(value: Any) -> int:
    if isinstance(value, str):
        size = len(value.encode())
    elif isinstance(value, bytes):
        size = len(value) + 50
    else:
        size = 50
    return size if size > 15 else 0
