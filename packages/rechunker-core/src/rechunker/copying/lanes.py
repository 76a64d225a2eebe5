"""Running the reads, or the writes, of one task with a counted number of them in flight."""

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
    """What one thread of a task has for itself: memory to read into, and its counts."""

    def __init__(self) -> None:
        self.encoded = Scratch()
        self.decoded = Scratch()
        self.traffic = Traffic()

    def release(self) -> None:
        """Give the memory back."""
        self.encoded.release()
        self.decoded.release()

    def count(self, **counts: int) -> None:
        """Add to what this lane has done."""
        self.traffic += Traffic(**counts)


class Lanes:
    """The threads and the memory that the tasks of one call share, one task after another.

    Parameters
    ----------
    number
        How many items are worked on at a time; 1 works in the calling thread.
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
        """The lane of a task that reads one unit only."""
        return self._lanes[0]

    def each(self, items: Iterable[T], work: Callable[[T, Lane], None]) -> None:
        """Call ``work(item, lane)`` for every item; raise the first error once all have stopped."""
        pending = _Pending(items)
        if self._pool is None:
            self._drain(pending, work, self._lanes[0])
            return
        running = [self._pool.submit(self._drain, pending, work, lane) for lane in self._lanes]
        try:
            errors = [error for done in running if (error := done.exception())]
        finally:
            pending.stop()  # so that nobody goes on after an interrupt
        if errors:
            raise errors[0]

    def _drain(self, pending: _Pending[T], work: Callable[[T, Lane], None], lane: Lane) -> None:
        try:
            while (item := pending.next()) is not None:
                work(item[0], lane)
        finally:
            pending.stop()  # either all are taken, or this one failed
            lane.release()

    def take_traffic(self) -> Traffic:
        """Return what all lanes have done since the last call."""
        total = sum((lane.traffic for lane in self._lanes), Traffic())
        for lane in self._lanes:
            lane.traffic = Traffic()
        return total


class _Pending(Generic[T]):
    """Items that several threads take one by one, until there are none or one of them fails."""

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
