"""Heap of the C library, which keeps freed memory instead of returning it to the system."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

__all__ = ["trim_heap"]


def trim_heap() -> None:
    """Return freed memory to the system, if the C library has a function for it.

    The GNU C library keeps up to 64 MB per thread, and more where arrays of 1 to 32 MB are
    allocated and freed again and again.
    """
    malloc_trim = _malloc_trim()
    if malloc_trim is not None:
        malloc_trim(0)


@lru_cache(maxsize=1)
def _malloc_trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return None
