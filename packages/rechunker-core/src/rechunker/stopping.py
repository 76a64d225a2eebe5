"""Stopping: how a thread knows, wherever it is, that nobody waits any more for what it does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["stopping", "until"]


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.is_stopped: Callable[[], bool] = lambda: False


_thread = _OfThread()


def stopping() -> Callable[[], bool]:
    """Return the function that says whether this thread is to stop; see `until`."""
    return _thread.is_stopped


@contextmanager
def until(is_stopped: Callable[[], bool]) -> Iterator[None]:
    """Let this thread begin no read or write, nor try a request again, once a function is true.

    Examples
    --------
    >>> with until(lambda: True):
    ...     stopping()()
    True
    >>> stopping()()
    False
    """
    before, _thread.is_stopped = _thread.is_stopped, is_stopped
    try:
        yield
    finally:
        _thread.is_stopped = before
