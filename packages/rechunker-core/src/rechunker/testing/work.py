"""Work for test stages: tasks that leave files, fail, kill their process or run twice.

Instances are the `work` of a `rechunker.types.Stage`. Tasks communicate by files because they may
run in other processes.
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
    """Do nothing; each task only counts itself."""

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for _ in tasks:
            yield Traffic(tasks=1)


@dataclass(frozen=True)
class Marking:
    """Create a file per task, and check that the files of earlier tasks exist.

    Parameters
    ----------
    folder
        Folder of the files; each is named after the stage and the task, such as ``"a: 0 7"``.
    stage
        Name of the stage.
    before
        Names of files that must exist when a task of this stage runs.
    last
        Number of a task that takes 0.3 seconds, to detect a next stage that does not wait for it.
    """

    folder: Path
    stage: str
    before: frozenset[str] = frozenset()
    last: int = -1

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            missing = self.before - {path.name for path in self.folder.iterdir()}
            if missing:
                (self.folder / "early").touch()
                raise RuntimeError(f"{self.stage} {task} did not wait for {sorted(missing)}")
            if task == self.last:
                time.sleep(0.3)
            (self.folder / f"{self.stage} {task}").touch()
            yield Traffic(tasks=1)


@dataclass(frozen=True)
class Failing:
    """Raise a `ValueError` in one task as long as a file exists.

    Parameters
    ----------
    file
        The file; delete it to let the task succeed.
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
    """Raise an `OSError` in the first attempts of every third task (1, 4, 7, ...), then succeed.

    Parameters
    ----------
    folder
        Folder for one file per attempt, named after the task and the attempt: ``"flaky 4.0"``.
    times
        Number of attempts that fail.
    """

    folder: Path
    times: int

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            attempts = len(list(self.folder.glob(f"flaky {task}.*")))
            (self.folder / f"flaky {task}.{attempts}").touch()
            if task % 3 == 1 and attempts < self.times:
                raise OSError(f"task {task} fails on attempt {attempts + 1}")
            yield Traffic(tasks=1)


@dataclass(frozen=True)
class Killing:
    """Run the work of a stage, but kill the process in one task as long as a file exists.

    Parameters
    ----------
    work
        Work of a stage.
    task
        Number of the task that kills its process (with SIGKILL).
    file
        The file.
    once
        Whether the task deletes the file first, so that its next attempt succeeds.
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
    """Run each task of a stage several times, under several numbers, so that runs may overlap.

    Parameters
    ----------
    work
        Work of a stage.
    tasks
        Number of its tasks. Task `i` also runs as task ``i + tasks``, ``i + 2 * tasks`` and so on.
    """

    work: Work
    tasks: int

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            number = task % self.tasks
            yield from self.work(range(number, number + 1))


@dataclass(frozen=True)
class Telling:
    """Run the work of a stage, and create a file per task that names the process running it.

    Parameters
    ----------
    work
        Work of a stage.
    folder
        Folder of the files; each is named after the task and the process id, such as ``"7 4242"``.
    seconds
        Seconds to wait before each task.
    """

    work: Work
    folder: Path
    seconds: float = 0.0

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            (self.folder / f"{task} {os.getpid()}").touch()
            time.sleep(self.seconds)
            yield from self.work(range(task, task + 1))
