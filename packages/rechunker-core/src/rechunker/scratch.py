"""Memory that one thread of a task uses again for one chunk after another."""

from __future__ import annotations

import mmap

import numpy as np
import numpy.typing as npt

__all__ = ["Scratch"]

# From this size on memory comes straight from the system: what goes through the allocator it keeps
# for later, up to tens of megabytes for every thread, which no plan knows of.
_LARGE = 1 << 18
_HUGE_PAGE = 1 << 21


class Scratch:
    """One buffer that grows to the largest size asked for.

    Fresh memory costs the system more time than decompressing into it does.
    """

    def __init__(self) -> None:
        self._bytes = np.empty(0, np.uint8)

    def take(self, nbytes: int) -> npt.NDArray[np.uint8]:
        """Return `nbytes` bytes with any content; the ones returned before are void."""
        if self._bytes.size < nbytes:
            self.release()  # before the larger one is made
            self._bytes = _allocate(nbytes)
        return self._bytes[:nbytes]

    def release(self) -> None:
        """Give the memory back, as soon as nobody looks at it any more."""
        self._bytes = np.empty(0, np.uint8)


def _allocate(nbytes: int) -> npt.NDArray[np.uint8]:
    if nbytes < _LARGE:
        return np.empty(nbytes, np.uint8)
    pages = _map(nbytes)
    if nbytes >= 2 * _HUGE_PAGE and hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)  # as numpy does: far fewer page faults
    return np.frombuffer(pages, np.uint8)


def _map(nbytes: int) -> mmap.mmap:
    if hasattr(mmap, "MAP_ANONYMOUS"):
        # The default is memory that forked processes share.
        return mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, nbytes)
