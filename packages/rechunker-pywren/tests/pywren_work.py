"""Tasks that fail in unusual ways, and the processes that they run in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rechunker.types import Traffic

__all__ = ["Exiting", "Stubborn", "is_running", "processes", "wait_for"]

LIMIT = 60.0


@dataclass(frozen=True)
class Exiting:
    """Raise a `SystemExit`, which is not an `Exception`."""

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        raise SystemExit("no more")


class StubbornError(Exception):
    """An error that pickles but does not unpickle."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


@dataclass(frozen=True)
class Stubborn:
    """Raise a `StubbornError`."""

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        raise StubbornError("this", "that")


def processes(folder: Path) -> set[int]:
    """Return the ids of the processes that left files of `Telling` in a folder or below it."""
    return {int(path.name.split()[1]) for path in folder.rglob("* *")}


def is_running(process: int) -> bool:
    """Return whether a process with this id exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    until = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
