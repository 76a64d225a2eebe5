"""Thread context: what a thread is told by whoever runs tasks in it: when to stop, what it has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["share", "sharing", "stopping", "until"]


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.is_stopped: Callable[[], bool] = lambda: False
        self.share: Callable[[], float] = lambda: 1.0


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


def share() -> float:
    """Return the part of its worker that this thread has now; see `sharing`."""
    return _thread.share()


@contextmanager
def sharing(part: Callable[[], float]) -> Iterator[None]:
    """Let the tasks that run in this thread have as many requests in flight as is their part.

    Examples
    --------
    >>> with sharing(lambda: 1 / 8):
    ...     share()
    0.125
    >>> share()
    1.0
    """
    before, _thread.share = _thread.share, part
    try:
        yield
    finally:
        _thread.share = before
