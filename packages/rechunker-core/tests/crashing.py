"""Runs that are killed, or fail: a server forks a process for each, and hits it at a moment.

The processes are forked from one that has imported everything, which saves a second for each.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import cloudpickle  # noqa: F401 - what is imported here is imported once for all
import dask.array  # noqa: F401
import numpy as np
import obstore.store  # noqa: F401
import xarray as xr
import zarr
from s3 import s3_store
from zarr.abc.store import Store
from zarr.storage import WrapperStore

import rechunker
import rechunker.sources.xarray
from rechunker.executors.python import PythonExecutor

for _name in rechunker.__all__:  # what a name stands for is imported when it is first used
    getattr(rechunker, _name)

# Events of the interpreter (https://docs.python.org/3/library/audit_events.html) that come before
# something is changed on the disk, or looked at.
EVENTS = frozenset(
    ["open", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir"]
)


@dataclass(frozen=True)
class Blow:
    """What happens to a run at the deadline.

    Parameters
    ----------
    signal
        Signal that the process gets, if there is no error number.
    number
        Number of the error that opening files for writing, and so on, raises from then on; 0 for
        none.
    once
        Whether it raises the error only once.
    place
        Name of the folder in which it happens; "" for all.
    retries
        Argument of `execute`.
    """

    signal: int = signal.SIGKILL
    number: int = 0
    once: bool = False
    place: str = ""
    retries: int = 0


class Deadline:
    """Counts events in a folder, and deals a blow to the process at one of them."""

    def __init__(self, folder: str, last: int | None, blow: Blow):
        self.count = 0
        self.struck = 0.0  # when
        self.after: list[str] = []  # what was changed since then
        self._folder = os.path.join(folder, blow.place)
        self._last = last
        self._blow = blow
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS and str(arguments[0]).startswith(self._folder):
            if self.struck and self._changes_something(event, arguments):
                self.after.append(f"{event} {arguments[0]}")
            if not self._blow.number:
                self.tick()
            elif self._changes_something(event, arguments):
                self._fail(str(arguments[0]))

    def _changes_something(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            return bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
        if event in ("os.remove", "os.rmdir"):
            return self._blow.number != errno.ENOSPC  # there is always room for less
        return event in ("os.rename", "os.mkdir")

    def _fail(self, path: str) -> None:
        self.count += 1
        if self._last is not None and self.count >= self._last:
            if self._blow.once and self.count > self._last:
                return
            raise OSError(self._blow.number, os.strerror(self._blow.number), path)

    def tick(self) -> None:
        self.count += 1
        if self.count == self._last:
            self.struck = time.monotonic()
            os.kill(os.getpid(), self._blow.signal)


class Ticking(WrapperStore[Store]):
    """Lets a deadline count the requests to a store."""

    def __init__(self, store: Store, tick: Callable[[], None]):
        super().__init__(store)
        self._tick = tick

    def _with_store(self, store: Store) -> Any:
        return type(self)(store, self._tick)

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        self._tick()
        return await super().get(*args, **kwargs)

    async def set(self, *args: Any, **kwargs: Any) -> None:
        self._tick()
        await super().set(*args, **kwargs)

    async def set_if_not_exists(self, *args: Any, **kwargs: Any) -> None:
        self._tick()
        await super().set_if_not_exists(*args, **kwargs)

    async def delete(self, key: str) -> None:
        self._tick()
        await super().delete(key)

    async def delete_dir(self, prefix: str) -> None:
        self._tick()
        await super().delete_dir(prefix)


def values(seed: int, shape: tuple[int, ...]) -> Any:
    """Return random numbers, a part of which are zero: chunks of these are not stored."""
    numbers = np.random.default_rng(seed).integers(1, 100, shape).astype("f8")
    numbers[:, : shape[1] // 3] = 0
    return numbers


def make_source(kind: str, path: Path) -> None:
    """Create a source."""
    if kind.startswith("array"):
        zarr.create_array(path, shape=(40, 30), chunks=(5, 30), dtype="f8")[...] = values(
            0, (40, 30)
        )
    elif kind == "group":
        group = zarr.create_group(path, attributes={"title": "a group"})
        for seed, name in enumerate(("a", "deep/b")):
            array = group.create_array(name, shape=(24, 18), chunks=(4, 18), dtype="f8")
            array[...] = values(seed, (24, 18))
    else:
        dataset = xr.Dataset(
            {"v": (("x", "y"), values(5, (24, 18))), "w": ("x", np.arange(24.0))},
            {"x": np.arange(24), "y": np.linspace(0, 1, 18)},
        )
        dataset.to_zarr(path, encoding={"v": {"chunks": (4, 18)}}, consolidated=False)


def plan(kind: str, folder: Path, threads: int = 2) -> rechunker.Rechunked[Any]:
    """Plan to rechunk the source in a folder."""
    source: Any = (
        xr.open_zarr(folder / "source")
        if kind == "dataset"
        else zarr.open(folder / "source", mode="r")
    )
    chunks: Any = (40, 3) if kind == "array" else (40, 15) if kind == "array without temp" else None
    if kind == "group":
        chunks = {"a": (24, 3), "deep/b": (24, 2)}
    if kind == "dataset":
        chunks = {"x": 24, "y": 3}
    temp = None if kind in ("array without temp", "array copied") else folder / "temp"
    return rechunker.rechunk(
        source,
        chunks,
        "6kB" if kind != "array without temp" else "11kB",
        folder / "target",
        {"overwrite": True} if (folder / "overwrite").exists() else None,
        temp,
        executor=PythonExecutor(threads),
    )


def plan_on_s3(kind: str, folder: Path, tick: Callable[[], None]) -> rechunker.Rechunked[Any]:
    """Plan to rechunk an array in a folder to an object store."""
    way, endpoint = kind.split(" ")
    target, temp = (
        Ticking(s3_store(way, endpoint, f"{folder.name}/{name}"), tick) for name in ("t", "x")
    )
    source = zarr.open_array(folder / "source", mode="r")
    return rechunker.rechunk(source, (40, 3), "6kB", target, None, temp, executor=PythonExecutor(2))


def run(kind: str, folder: str, last: int | None, blow: dict[str, Any]) -> None:
    """Plan and execute, and tell how many tasks were done, and what happened at all."""
    place, is_remote = Path(folder), "http" in kind
    deadline = Deadline("nowhere" if is_remote else folder, last, Blow(**blow))
    descriptor = os.open(f"{folder}.done", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    copied = [0]

    def progress(done: int, total: int, nbytes: int) -> None:
        if nbytes > copied[-1]:  # not a task that was done before
            os.write(descriptor, b".")
        copied.append(nbytes)
        if not Blow(**blow).number:
            deadline.tick()

    planned = plan_on_s3(kind, place, deadline.tick) if is_remote else plan(kind, place)
    told: dict[str, Any]
    try:
        planned.execute(resume=True, progress=progress, retries=Blow(**blow).retries)
    except BaseException as error:
        told = {"error": f"{type(error).__name__}: {error}", **ending(deadline)}
        Path(f"{folder}.told").write_text(json.dumps(told))
        raise
    traffic: Any = planned.traffic
    told = {"tasks": traffic.tasks, "known": traffic.known, "events": deadline.count}
    Path(f"{folder}.told").write_text(json.dumps(told))


def ending(deadline: Deadline) -> dict[str, Any]:
    """Return how long it took from a signal to an error, and what went on after the error."""
    seconds, count = time.monotonic() - deadline.struck, len(deadline.after)
    time.sleep(0.2 if deadline.struck else 0)
    return {"seconds": deadline.struck and seconds, "later": deadline.after[count:]}


def main() -> None:
    # A program that was started in the background may be told to ignore it, and hands that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("ignore")
    xr.backends.list_engines()  # imports them
    import_module("s3fs")
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                run(*request)
                code = 0
            finally:
                if code:
                    traceback.print_exc()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


class Server:
    """Runs plans in processes of their own; use it as a context."""

    def __enter__(self) -> Callable[..., int]:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self._ask

    def _ask(self, kind: str, folder: Path, last: int | None, **blow: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([kind, str(folder), last, blow]) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def __exit__(self, *error: object) -> None:
        self._process.communicate()


if __name__ == "__main__":
    main()
