"""Lanes: the threads of a task, each with one read or write in flight and memory of its own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import chain, islice
from types import TracebackType
from typing import Any, Generic, TypeVar

import numpy.typing as npt

from rechunker.copying.codecs import part_of
from rechunker.copying.heap import trim_heap
from rechunker.copying.sums import sum_of
from rechunker.planning import Box
from rechunker.scratch import Scratch, drop_spare, keep_spare, take_spare
from rechunker.stores import take_retries
from rechunker.thread_context import share, stopping, until
from rechunker.types import Traffic

__all__ = ["TRIM_AFTER", "Lane", "Lanes", "Once"]

# Bytes read and written after which freed memory goes back to the system. Getting it from there
# again takes time, which tasks of a few bytes would notice.
TRIM_AFTER = 1 << 23
# Seconds after which items are known to be long or short, and those that a short one takes at most:
# what Python does for it takes less than a tenth of a millisecond.
LONG, SHORT = 0.01, 3e-4

T = TypeVar("T")


class Once:
    """Calls a function once for each key, whichever lanes ask for it."""

    def __init__(self) -> None:
        self._done: set[Hashable] = set()
        self._lock = threading.Lock()

    def __call__(self, key: Hashable, function: Callable[[], object]) -> None:
        with self._lock:
            if key not in self._done:
                function()
                self._done.add(key)


class Lane:
    """What belongs to one thread of a task: memory to read and write with, and its counts."""

    def __init__(self, once: Once, *, in_place: bool = False) -> None:
        self.once = once
        self.encoded = Scratch()
        self.decoded = Scratch()
        # Usually apart from what is read, from which a task may write.
        self.written = self.decoded if in_place else Scratch()
        self._counts: Counter[str] = Counter()
        self.cpu_seconds = 0.0  # in a thread of its own
        self.moved = 0  # decoded bytes read and written
        self.sum = 0  # over the values read, modulo 2**64

    def release(self) -> None:
        """Free the memory."""
        self.encoded.release()
        self.decoded.release()
        self.written.release()

    def count(self, **counts: int) -> None:
        """Add to the counts of this lane."""
        for name, count in counts.items():
            self._counts[name] += count
        self.moved += counts.get("bytes_read", 0) + counts.get("bytes_written", 0)

    def take_traffic(self) -> Traffic:
        """Return the counts since the last call."""
        counts: dict[str, Any] = dict(self._counts)
        traffic = Traffic(cpu_seconds=self.cpu_seconds, **counts)
        self._counts.clear()
        self.cpu_seconds = 0.0
        return traffic

    def add_up(
        self, start: Sequence[int], data: npt.NDArray[Any], box: Box, times: int = 1
    ) -> None:
        """Add the part of a piece that lies in a box to the sum of this lane, or take it off."""
        part, values = part_of(start, data, box)
        self.sum = (self.sum + times * sum_of(values, part.start)) % 2**64


class Lanes:
    """The threads and the memory that the tasks of one call share, one task after another.

    Parameters
    ----------
    number
        Number of threads of a task that has its worker for itself; of one that shares it, its part
        of them work. A single one is the calling thread.
    boxes
        Whether tasks take their box from `box`, which may be the memory of the stage before.
    in_place
        Whether threads write with the memory that they have read with.
    keep
        Whether threads keep their memory from one task to the next, because nothing else is held
        in between. Otherwise they free it whenever all items are done.

    Attributes
    ----------
    box
        Memory of the box of a task.
    alone
        Whether the calling thread works alone as long as items are short: for requests so small
        that threads, which then do little but run Python, would wait for each other. Items are long
        where a disk is waited for, or a slow codec.
    """

    def __init__(
        self, number: int, *, boxes: bool = False, in_place: bool = False, keep: bool = False
    ) -> None:
        if not boxes:
            drop_spare()
        self.box = take_spare()
        self.keep = keep
        self.alone = False
        self._trimmed = 0
        once = Once()
        self._lanes = [Lane(once, in_place=in_place) for _ in range(number)]
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
        for lane in self._lanes:
            lane.release()
        if error is None:
            keep_spare(self.box)
        else:
            self.box.release()

    @property
    def number(self) -> int:
        """Number of lanes that may work now."""
        return max(1, int(len(self._lanes) * share()))

    @property
    def first(self) -> Lane:
        """The lane of a task that reads a single unit."""
        return self._lanes[0]

    def each(self, items: Iterable[T], work: Callable[[T, Lane], None]) -> None:
        """Call ``work(item, lane)`` for every item; raise the first error when all have stopped."""
        rest = iter(items)
        first = list(islice(rest, self.number))
        pending = _Pending(chain(first, rest), stopping())
        if self._pool is None or len(first) < 2:
            self._drain(pending, work, self._lanes[0])
        elif not self.alone or self._drain(pending, work, self._lanes[0], _items_are_long()):
            self._side_by_side(pending, work, self._lanes[: len(first)])
        pending.check()

    def _side_by_side(
        self, pending: _Pending[T], work: Callable[[T, Lane], None], lanes: Sequence[Lane]
    ) -> None:
        assert self._pool is not None
        running: list[Future[None]] = []
        try:
            for lane in lanes:
                running.append(self._pool.submit(self._run, pending, work, lane))
            wait(running)
            error = next(filter(None, [done.exception() for done in running]), None)
        finally:
            pending.stop()  # so that no lane goes on after an interrupt
            running.clear()
        try:
            if error is not None:
                raise error
        finally:
            # It refers to this call, which must not refer to it: such a circle would keep the
            # memory of the task until the next collection.
            del error

    def _run(self, pending: _Pending[T], work: Callable[[T, Lane], None], lane: Lane) -> None:
        """Drain in a thread of the pool, whose CPU time nobody else counts."""
        began = time.thread_time()
        try:
            self._drain(pending, work, lane)
        finally:
            lane.cpu_seconds += time.thread_time() - began

    def _drain(
        self,
        pending: _Pending[T],
        work: Callable[[T, Lane], None],
        lane: Lane,
        leaves: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Work until no item is left, or `leaves` says so; return whether it did."""
        try:
            with until(pending.is_stopped):
                while (item := pending.next()) is not None:
                    work(item[0], lane)
                    if leaves():
                        return True
                return False
        except BaseException:
            pending.stop()  # not where no item is left: other lanes may have to ask a store again
            raise
        finally:
            lane.count(retries=take_retries())
            if not self.keep:
                lane.release()

    def trim(self) -> None:
        """Return to the system what codecs freed, before other memory is taken.

        What the C library keeps for each thread would add up with it.
        """
        moved = sum(lane.moved for lane in self._lanes)
        if moved - self._trimmed >= TRIM_AFTER:
            self._trimmed = moved
            trim_heap()

    def take_traffic(self) -> Traffic:
        """Return the counts of all lanes since the last call."""
        return Traffic.total(lane.take_traffic() for lane in self._lanes)

    def take_sum(self) -> int:
        """Return the sum of all lanes since the last call."""
        total = sum(lane.sum for lane in self._lanes) % 2**64
        for lane in self._lanes:
            lane.sum = 0
        return total


def _items_are_long() -> Callable[[], bool]:
    """Return a function to be called after each item, which says whether they take long."""
    began, done = time.perf_counter(), 0

    def are_long() -> bool:
        nonlocal done
        done += 1
        elapsed = time.perf_counter() - began
        return elapsed > LONG and elapsed > done * SHORT

    return are_long


class _Pending(Generic[T]):
    """Items that several threads take one by one, until none is left or one of them fails.

    Parameters
    ----------
    items
        The items.
    is_ended
        Returns whether the task is to stop.
    """

    def __init__(self, items: Iterable[T], is_ended: Callable[[], bool]) -> None:
        self._items = iter(items)
        self._is_ended = is_ended
        self._lock = threading.Lock()
        self._stopped = self._is_cut = False

    def next(self) -> tuple[T] | None:
        with self._lock:
            if self._stopped:
                return None
            for item in self._items:
                if self._is_ended():
                    self._is_cut = True
                    return None
                return (item,)
            return None

    def stop(self) -> None:
        self._stopped = True

    def is_stopped(self) -> bool:
        return self._stopped or self._is_ended()

    def check(self) -> None:
        """Raise an error if items were left out, so that nobody takes the rest for all of them."""
        if self._is_cut:
            raise RuntimeError("the task was stopped")
