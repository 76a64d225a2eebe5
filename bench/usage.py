"""Measure the time and memory that a piece of code takes in this process."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Usage", "begin", "end", "measured"]

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # see proc(5)


@dataclass
class Usage:
    """Time and memory of a piece of code.

    Parameters
    ----------
    wall
        Wall-clock seconds.
    cpu
        CPU seconds of all threads and of finished child processes.
    user
        The part of `cpu` that was not spent in the kernel.
    peak
        Peak resident memory of this process in bytes, minus the memory in use at the start.
    """

    wall: float = 0.0
    cpu: float = 0.0
    user: float = 0.0
    peak: int = 0

    def with_others(self, others: Iterable[Usage]) -> Usage:
        """Return this usage with that of processes that ran at the same time."""
        every = [self, *others]
        figures = (sum(getattr(one, name) for one in every) for name in ("cpu", "user", "peak"))
        return Usage(self.wall, *figures)


@contextmanager
def measured() -> Iterator[Usage]:
    """Measure the body of the ``with`` statement; the figures are set when it ends."""
    usage, start = Usage(), _Start()
    yield usage
    start.tell(usage)


_begun: list[_Start] = []


def begin() -> None:
    """Begin to measure this process, as in a worker; `end` says what it took since."""
    _begun[:] = [_Start()]


def end() -> Usage:
    """Return what this process took since `begin`."""
    usage = Usage()
    _begun.pop().tell(usage)
    return usage


class _Start:
    """What the process has taken up to now."""

    def __init__(self) -> None:
        gc.collect()
        self._memory = _reset_peak()
        self._cpu, self._user, self._wall = _cpu(), _user(), time.perf_counter()

    def tell(self, usage: Usage) -> None:
        """Set the figures to what it took since."""
        usage.wall = time.perf_counter() - self._wall
        usage.cpu = _cpu() - self._cpu
        usage.user = _user() - self._user
        usage.peak = max(0, _peak() - self._memory)


def _cpu() -> float:
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


def _user() -> float:
    times = os.times()
    return times.user + times.children_user


def _reset_peak() -> int:
    """Reset the peak memory to the memory in use now, and return it in bytes."""
    try:
        CLEAR.write_text(RESET_PEAK)
    except OSError:  # not Linux, or no permission: the peak then counts from the process start
        return _peak()
    return _status("VmRSS")


def _peak() -> int:
    if STATUS.exists():
        return _status("VmHWM")
    import resource  # not available on Windows

    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _status(field: str) -> int:
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return 1024 * int(line.split()[1])
