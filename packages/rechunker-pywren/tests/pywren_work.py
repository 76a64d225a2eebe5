"""Tasks that tell which process they run in, or fail in unusual ways."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rechunker.types import Traffic

__all__ = [
    "Exiting",
    "Stubborn",
    "Telling",
    "is_running",
    "processes",
    "wait_for",
]

LIMIT = 60.0


@dataclass(frozen=True)
class Telling:
    """Take a while over each task, and leave a file with the number of the process."""

    work: Callable[[range], Iterable[Traffic]]
    folder: Path
    seconds: float = 0.0

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            (self.folder / f"{task} {os.getpid()}").touch()
            time.sleep(self.seconds)
            yield from self.work(range(task, task + 1))


@dataclass(frozen=True)
class Exiting:
    """Raise what is no `Exception`."""

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        raise SystemExit("no more")


class StubbornError(Exception):
    """An error that pickles, and cannot be read again."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


@dataclass(frozen=True)
class Stubborn:
    """Raise a `StubbornError`."""

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        raise StubbornError("this", "that")


def processes(folder: Path) -> set[int]:
    """Return the processes in which tasks have run that tell it in a folder, or below it."""
    return {int(path.name.split()[1]) for path in folder.rglob("* *")}


def is_running(process: int) -> bool:
    """Say whether there is a process with a number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is true."""
    until = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
