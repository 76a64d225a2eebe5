"""Measure the time and memory that a piece of code takes in this process."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Usage", "measured"]

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
    peak
        Peak resident memory of this process in bytes, minus the memory in use at the start.
    """

    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0


@contextmanager
def measured() -> Iterator[Usage]:
    """Measure the body of the ``with`` statement; the figures are set when it ends."""
    usage = Usage()
    gc.collect()
    before = _reset_peak()
    cpu, wall = _cpu(), time.perf_counter()
    yield usage
    usage.wall = time.perf_counter() - wall
    usage.cpu = _cpu() - cpu
    usage.peak = max(0, _peak() - before)


def _cpu() -> float:
    children = os.times()
    return time.process_time() + children.children_user + children.children_system


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
