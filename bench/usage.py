"""Time and memory that a piece of code takes in this process."""

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
    """Seconds of wall clock, seconds of all threads and children, bytes above those before."""

    wall: float = 0.0
    cpu: float = 0.0
    peak: int = 0


@contextmanager
def measured() -> Iterator[Usage]:
    """Measure what runs within; the figures are there when it has ended."""
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
    """Return the memory now in use, and let the peak start from there."""
    try:
        CLEAR.write_text(RESET_PEAK)
    except OSError:  # not on Linux, or not permitted: the peak is that since the process started
        return _peak()
    return _status("VmRSS")


def _peak() -> int:
    if STATUS.exists():
        return _status("VmHWM")
    import resource  # not on every system

    unit = 1 if os.uname().sysname == "Darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _status(field: str) -> int:
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return 1024 * int(line.split()[1])
