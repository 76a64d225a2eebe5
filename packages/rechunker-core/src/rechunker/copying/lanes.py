"""Lanes: the threads of a task, each with one read or write in flight and memory of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

from rechunker.scratch import Scratch
from rechunker.types import Traffic

__all__ = ["Lane", "Lanes"]

T = TypeVar("T")


class Lane:
    """What belongs to one thread of a task: memory to read into, and its counts."""

    def __init__(self) -> None:
        self.encoded = Scratch()
        self.decoded = Scratch()
        self.traffic = Traffic()

    def release(self) -> None:
        """Free the memory."""
        self.encoded.release()
        self.decoded.release()

    def count(self, **counts: int) -> None:
        """Add to the counts of this lane."""
        self.traffic += Traffic(**counts)


class Lanes:
    """The threads and the memory that the tasks of one call share, one task after another.

    Parameters
    ----------
    number
        Number of threads; 1 works in the calling thread.
    """

    def __init__(self, number: int) -> None:
        self.box = Scratch()
        self._lanes = [Lane() for _ in range(number)]
        self._pool = ThreadPoolExecutor(number) if number > 1 else None

    def __enter__(self) -> Lanes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        self.box.release()

    @property
    def first(self) -> Lane:
        """The lane of a task that reads a single unit."""
        return self._lanes[0]

    def each(self, items: Iterable[T], work: Callable[[T, Lane], None]) -> None:
        """Call ``work(item, lane)`` for every item; raise the first error when all have stopped."""
        pending = _Pending(items)
        if self._pool is None:
            self._drain(pending, work, self._lanes[0])
            return
        running = [self._pool.submit(self._drain, pending, work, lane) for lane in self._lanes]
        try:
            errors = [error for done in running if (error := done.exception())]
        finally:
            pending.stop()  # so that no lane goes on after an interrupt
        if errors:
            raise errors[0]

    def _drain(self, pending: _Pending[T], work: Callable[[T, Lane], None], lane: Lane) -> None:
        try:
            while (item := pending.next()) is not None:
                work(item[0], lane)
        finally:
            pending.stop()  # either no item is left, or this one failed
            lane.release()

    def take_traffic(self) -> Traffic:
        """Return the counts of all lanes since the last call."""
        total = sum((lane.traffic for lane in self._lanes), Traffic())
        for lane in self._lanes:
            lane.traffic = Traffic()
        return total


class _Pending(Generic[T]):
    """Items that several threads take one by one, until none is left or one of them fails."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)
        self._lock = threading.Lock()
        self._stopped = False

    def next(self) -> tuple[T] | None:
        with self._lock:
            if self._stopped:
                return None
            for item in self._items:
                return (item,)
            return None

    def stop(self) -> None:
        self._stopped = True
