"""Memory that is freed but that the C library has not given back to the system."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

__all__ = ["give_back"]


def give_back() -> None:
    """Give freed memory back to the system, where the C library can be told to.

    The one of GNU keeps up to 64 MB for each thread, more where arrays come and go that have a
    size of 1 to 32 MB.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@lru_cache(maxsize=1)
def _trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return None
