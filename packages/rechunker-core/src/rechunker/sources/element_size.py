"""Memory of elements that lie outside the array's own buffer: strings, bytes and objects."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

__all__ = ["average_bytes", "with_margin"]


def average_bytes(values: npt.NDArray[Any]) -> int:
    """Return the average memory of variable-length elements, beyond 16 bytes for each.

    Parameters
    ----------
    values
        Sample of the elements.

    Returns
    -------
    int
        Bytes per element.

    Notes
    -----
    A Python object takes about 50 bytes, and a reference to it takes 8. An element of NumPy's
    `StringDType` takes 16 bytes in the array, and more outside it if it has over 15 bytes.
    """
    flat = values.reshape(-1)
    return sum(map(_bytes_of, flat)) // max(1, flat.size)


def with_margin(average: int) -> int:
    """Return the bytes to count per element, with a margin for elements longer than the sample.

    Parameters
    ----------
    average
        Result of `average_bytes`.
    """
    return 16 + average + average // 4


def _bytes_of(value: Any) -> int:
    if isinstance(value, str):
        size = len(value.encode())
    elif isinstance(value, bytes):
        size = len(value) + 50
    else:
        size = 50
    return size if size > 15 else 0
