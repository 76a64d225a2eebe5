"""Tasks that tell what became of them by files, since they may run in other processes.

Each class is what `rechunker.types.Stage` calls its `work`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rechunker.types import Traffic

__all__ = ["Failing", "Flaky", "Killing", "Marking", "Nothing", "Repeating", "Telling"]

Work = Callable[[range], Iterable[Traffic]]


@dataclass(frozen=True)
class Nothing:
    """Do nothing but count."""

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for _ in tasks:
            yield Traffic(tasks=1)


@dataclass(frozen=True)
class Marking:
    """Leave a file for each task, and look for those of the tasks that come before.

    Parameters
    ----------
    folder
        Where the files go; their names are those of the stage and of the task.
    stage
        Name of the stage.
    before
        Names of files that must be there.
    last
        Number of the task that takes its time; a stage that does not wait for it is found out.
    """

    folder: Path
    stage: str
    before: frozenset[str] = frozenset()
    last: int = -1

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            absent = self.before - {path.name for path in self.folder.iterdir()}
            if absent:
                (self.folder / "early").touch()
                raise RuntimeError(f"{self.stage} {task} does not wait for {sorted(absent)}")
            if task == self.last:
                time.sleep(0.3)
            (self.folder / f"{self.stage} {task}").touch()
            yield Traffic(tasks=1)


@dataclass(frozen=True)
class Failing:
    """Fail in one task for as long as there is a certain file.

    Parameters
    ----------
    file
        The file.
    task
        Number of the task that fails.
    """

    file: Path
    task: int

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            if task == self.task and self.file.exists():
                raise ValueError(f"task {task} fails on purpose")
            yield Traffic(tasks=1)


@dataclass(frozen=True)
class Flaky:
    """Fail in every third task a few times, and work from then on.

    Parameters
    ----------
    folder
        Where it is written down how many times a task was tried.
    times
        How many times it fails.
    """

    folder: Path
    times: int

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            tried = len(list(self.folder.glob(f"flaky {task}.*")))
            (self.folder / f"flaky {task}.{tried}").touch()
            if task % 3 == 1 and tried < self.times:
                raise OSError(f"task {task} fails for the {tried + 1}. time")
            yield Traffic(tasks=1)


@dataclass(frozen=True)
class Killing:
    """Kill the process that runs one task, for as long as there is a certain file.

    Parameters
    ----------
    work
        The work of a stage.
    task
        Number of the task that kills.
    file
        The file.
    once
        Whether the file is removed before.
    """

    work: Work
    task: int
    file: Path
    once: bool = True

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            if task == self.task and self.file.exists():
                if self.once:
                    self.file.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            yield from self.work(range(task, task + 1))


@dataclass(frozen=True)
class Repeating:
    """Run each of some tasks under several numbers, so that its runs may overlap.

    Parameters
    ----------
    work
        The work of a stage.
    tasks
        Number of its tasks; task `i` is also run as ``i + tasks``, ``i + 2 * tasks`` and so on.
    """

    work: Work
    tasks: int

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            number = task % self.tasks
            yield from self.work(range(number, number + 1))


@dataclass(frozen=True)
class Telling:
    """Take a while over each task, and leave a file named after it and the process that runs it.

    Parameters
    ----------
    work
        The work of a stage.
    folder
        Where the files go.
    seconds
        How long each task takes at least.
    """

    work: Work
    folder: Path
    seconds: float = 0.0

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            (self.folder / f"{task} {os.getpid()}").touch()
            time.sleep(self.seconds)
            yield from self.work(range(task, task + 1))
