"""Work for test stages: tasks that leave files, take a while, fail, or kill their process.

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
from uuid import uuid4

from rechunker.types import Changes, Traffic

__all__ = [
    "Changing",
    "Crowding",
    "Failing",
    "Flaky",
    "Killing",
    "Lasting",
    "Marking",
    "Nothing",
    "Repeating",
    "Telling",
]

Work = Callable[[range], Iterable[Traffic]]


@dataclass(frozen=True)
class Nothing:
    """Do nothing; each task only counts itself."""

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for _ in tasks:
            yield Traffic(tasks=1)


@dataclass(frozen=True)
class Changing:
    """Change something in each task: its number."""

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            yield Traffic(tasks=1, changes=(Changes((), b"%d" % task),))


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
class Lasting:
    """Take a while; each run of a task leaves a file when it begins and another when it ends.

    Parameters
    ----------
    folder
        Folder of the files; each is named after the event, the task and a random name, such as
        ``"begin 7 1f0c"``.
    seconds
        Seconds that a task takes.
    failing
        Number of a task that raises a `ValueError`; by default none.
    patience
        Seconds that this task waits for the run of another task to begin.
    """

    folder: Path
    seconds: float
    failing: int = -1
    patience: float = 0.0

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            run = uuid4().hex
            if task == self.failing:
                self._fail(task)
            (self.folder / f"begin {task} {run}").touch()
            time.sleep(self.seconds)
            (self.folder / f"end {task} {run}").touch()
            yield Traffic(tasks=1)

    def _fail(self, task: int) -> None:
        until = time.monotonic() + self.patience
        while time.monotonic() < until and not any(self.folder.glob("begin *")):
            time.sleep(0.01)
        raise ValueError(f"task {task} fails on purpose")


@dataclass(frozen=True)
class Crowding:
    """Record how many tasks run at the same time.

    Parameters
    ----------
    folder
        Folder of the files: ``"in 1f0c"`` as long as a run of a task lasts, and ``"seen 2"`` if
        two of them ran at the same time.
    seconds
        Seconds that a task takes.
    """

    folder: Path
    seconds: float = 0.05

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for _ in tasks:
            mine = self.folder / f"in {uuid4().hex}"
            mine.touch()
            time.sleep(self.seconds)
            (self.folder / f"seen {len(list(self.folder.glob('in *')))}").touch()
            mine.unlink()
            yield Traffic(tasks=1)

    @staticmethod
    def most(folder: Path) -> int:
        """Return the largest number of tasks that have run at the same time.

        Parameters
        ----------
        folder
            Folder of the files.
        """
        return max(int(path.name.split()[1]) for path in folder.glob("seen *"))


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
                # Other threads of the process may hold a lock of a queue that processes share, such
                # as Prefect's for messages (3.8): killed now, it would keep that lock for ever.
                time.sleep(0.2)
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
    """Run the work of a stage, and create a file per run of a task that names its process.

    Parameters
    ----------
    work
        Work of a stage.
    folder
        Folder of the files; each is named after the task, the process id and a random name, such
        as ``"7 4242 1f0c"``.
    seconds
        Seconds to wait before each task.
    """

    work: Work
    folder: Path
    seconds: float = 0.0

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            (self.folder / f"{task} {os.getpid()} {uuid4().hex}").touch()
            time.sleep(self.seconds)
            yield from self.work(range(task, task + 1))
