"""Scratch memory: a buffer that one thread of a task reuses for one chunk after another."""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Scratch", "drop_spare", "keep_spare", "spare_memory", "take_spare"]

# Buffers of this size or more are mapped directly from the system. The allocator would keep freed
# memory for later, up to tens of megabytes per thread, which no plan accounts for.
_LARGE = 1 << 18
_HUGE_PAGE = 1 << 21


class Scratch:
    """A reusable buffer that grows to the largest size requested.

    Reuse saves time: the system needs longer to provide fresh memory than a codec to fill it.
    """

    def __init__(self) -> None:
        self._pages: mmap.mmap | None = None
        self._bytes = np.empty(0, np.uint8)
        self.is_spare = False  # whether the next call frees what it does not need

    def take(self, nbytes: int) -> npt.NDArray[np.uint8]:
        """Return an uninitialized array of `nbytes` bytes, valid only until the next call."""
        if not self._fits(nbytes):
            self.release()  # never hold the old buffer and the larger one at the same time
            if nbytes < _LARGE:
                self._bytes = np.empty(nbytes, np.uint8)
            else:
                self._map(nbytes)
        return self._bytes[:nbytes]

    def take_pages(self, nbytes: int) -> npt.NDArray[np.uint8]:
        """Return an array as `take` does that begins at a page of memory."""
        if self._bytes.ctypes.data % mmap.PAGESIZE or not self._fits(nbytes):
            self.release()
            self._map(nbytes)
        return self._bytes[:nbytes]

    def _map(self, nbytes: int) -> None:
        self._pages = _pages(nbytes)
        self._bytes = np.frombuffer(self._pages, np.uint8)

    def _fits(self, nbytes: int) -> bool:
        """Return whether the buffer is large enough, or can be made so."""
        is_spare, self.is_spare = self.is_spare, False
        if self._bytes.size < nbytes or (is_spare and self._bytes.size > nbytes):
            return self._resize(nbytes)
        return True

    def _resize(self, nbytes: int) -> bool:
        """Map more pages, or fewer: those that stay are not cleared; return whether it can."""
        if self._pages is None:
            return False
        self._bytes = np.empty(0, np.uint8)
        try:
            self._pages.resize(max(1, nbytes))
        except (BufferError, OSError, SystemError, ValueError):
            return False  # an array refers to it, or the system cannot do that
        _use_huge_pages(self._pages, nbytes)
        self._bytes = np.frombuffer(self._pages, np.uint8)
        return True

    def holds(self, array: npt.NDArray[Any]) -> bool:
        """Return whether an array refers to the buffer, and so to what the next call changes."""
        return bool(np.may_share_memory(self._bytes, array))

    def release(self) -> None:
        """Drop the buffer; its memory is freed once no array refers to it."""
        self._bytes = np.empty(0, np.uint8)
        self._pages = None
        self.is_spare = False


def _pages(nbytes: int) -> mmap.mmap:
    pages = _anonymous(max(1, nbytes))
    if hasattr(mmap, "MADV_DONTFORK"):
        # While a fork copies pages, the system may read a file into the copy (open(2), O_DIRECT).
        pages.madvise(mmap.MADV_DONTFORK)
    _use_huge_pages(pages, nbytes)
    return pages


def _use_huge_pages(pages: mmap.mmap, nbytes: int) -> None:
    if nbytes >= 2 * _HUGE_PAGE and hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)  # as NumPy does: far fewer page faults


def _anonymous(nbytes: int) -> mmap.mmap:
    if hasattr(mmap, "MAP_ANONYMOUS"):
        # By default the mapping would be shared with forked processes.
        return mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, nbytes)


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.spare: list[Scratch] | None = None


_thread = _OfThread()


@contextmanager
def spare_memory() -> Iterator[None]:
    """Let stages that run one after another in this thread hand their memory on.

    A stage that follows has the pages of the one before, which the system need not clear again. It
    frees those that it does not need before it takes other memory. What is left at the end of the
    context is freed.
    """
    before, _thread.spare = _thread.spare, []
    try:
        yield
    finally:
        drop_spare()
        _thread.spare = before


def keep_spare(memory: Scratch) -> None:
    """Keep memory for whoever takes it next, or free it where none is handed on."""
    if _thread.spare is None:
        memory.release()
        return
    drop_spare()
    memory.is_spare = True
    _thread.spare.append(memory)


def take_spare() -> Scratch:
    """Return the memory that was kept, which becomes as small as what is first taken of it."""
    return _thread.spare.pop() if _thread.spare else Scratch()


def drop_spare() -> None:
    """Free the memory that was kept."""
    take_spare().release()
