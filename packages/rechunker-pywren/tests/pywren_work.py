"""Tasks that tell which process they run in, or end it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rechunker.types import CopySpec, Stage, Traffic

__all__ = [
    "Exiting",
    "Killing",
    "Stubborn",
    "Telling",
    "is_running",
    "processes",
    "telling",
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
class Killing:
    """Kill the process that runs a certain task, some times."""

    folder: Path
    task: int
    times: int

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            tried = len(list(self.folder.glob(f"tried-{task}.*")))
            (self.folder / f"tried-{task}.{tried}").touch()
            if task == self.task and tried < self.times:
                os.kill(os.getpid(), signal.SIGKILL)
            yield Traffic(tasks=1)


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


def telling(spec: CopySpec, folder: Path, seconds: float) -> CopySpec:
    """Return a spec whose tasks tell where they run, in a folder for each stage."""
    stages: list[Stage] = []
    for number, stage in enumerate(spec.stages):
        place = folder / str(number)
        place.mkdir(parents=True, exist_ok=True)
        work = Telling(stage.work, place, seconds)
        stages.append(replace(stage, work=work) if stage.nbytes else stage)
    return replace(spec, stages=tuple(stages))


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
