"""Have runs meet, and kill runs that delete: `python checks/races.py --pairs 100 --kills 30`.

Two processes execute plans at the same moment, on one target, on one temp store, or on both. What
can be opened afterwards is exactly one of the sources, and it opens if a run said so.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import rechunker
from rechunker.plugins import list_executors

SHAPE, CHUNKS = (300, 300), (10, 300)
MEETINGS = ("target", "temp store", "both")
SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Run:
    """What one process does: rechunk a source, after some seconds."""

    source: Path
    target: Path
    temp: Path
    executor: str
    overwrite: bool
    delay: float = 0.0
    chunks: tuple[int, int] = (300, 10)

    def __call__(self) -> str:
        """Return "done", or the name and the message of the error."""
        try:
            time.sleep(self.delay)
            rechunker.rechunk(
                zarr.open(self.source, mode="r"),
                {"a": self.chunks, "b": self.chunks},
                "25kB",
                self.target,
                {"overwrite": self.overwrite},
                self.temp,
                executor=self.executor,
            ).execute()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is shown
            return f"{type(error).__name__}: {error}"
        return "done"


def serve(runs: Connection) -> None:
    """Execute one run after the other, in a process of its own."""
    while (run := runs.recv()) is not None:
        runs.send(run())


class Process:
    """A process that executes runs."""

    def __init__(self) -> None:
        self.runs, theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=serve, args=(theirs,))
        self.process.start()

    def end(self) -> None:
        """Let the process end when it has nothing to do."""
        self.runs.send(None)
        self.process.join()


def make_source(path: Path, seed: int) -> dict[str, Any]:
    """Create a group of two arrays and return their elements."""
    group = zarr.create_group(path)
    numbers = np.random.default_rng(seed)
    values = {}
    for name in "ab":
        array = group.create_array(name, shape=SHAPE, chunks=CHUNKS, dtype="i4")
        values[name] = numbers.integers(1, 1 << 30, SHAPE, dtype="i4")
        array[...] = values[name]
    return values


def found_at(target: Path, known: dict[str, dict[str, Any]]) -> str | None:
    """Return which of the known groups can be opened at a place; None if nothing can.

    Raises
    ------
    AssertionError
        If what can be opened is none of them.
    """
    if not (target / "zarr.json").exists():
        names = [name for name in "ab" if (target / name / "zarr.json").exists()]
        # Members are published before the group, and each of them is whole.
        values = {name: np.asarray(zarr.open_array(target / name)[...]) for name in names}
    else:
        group = zarr.open_group(target, mode="r", use_consolidated=False)
        values = {name: np.asarray(array[...]) for name, array in group.arrays()}
        assert set(values) == {"a", "b"}, f"{target} opens with {sorted(values)}"
    for name, arrays in known.items():
        if values and all(np.array_equal(values[key], arrays[key]) for key in values):
            return name
    assert not values, f"{target} opens, and is a mixture"
    return None


def race(folder: Path, processes: list[Process], meeting: str, rng: random.Random) -> str:
    """Let two runs meet, check what they leave, and return how they ended."""
    known = {name: make_source(folder / name, rng.randrange(1 << 30)) for name in ("x", "y", "old")}
    executors = [name for name in ("python", "dask", "beam") if name in list_executors()]
    overwrite = rng.random() < 0.5
    runs = [
        Run(
            source=folder / rng.choice("xy"),
            target=folder / (f"target{number}" if meeting == "temp store" else "target"),
            temp=folder / (f"temp{number}" if meeting == "target" else "temp"),
            executor=rng.choice(executors),
            overwrite=overwrite,
            delay=rng.random() * 0.2 * number,
        )
        for number in (0, 1)
    ]
    for target in {run.target for run in runs} if overwrite else ():
        shutil.copytree(folder / "old", target)
    for process, run in zip(processes, runs, strict=True):
        process.runs.send(run)
    ends = [process.runs.recv() for process in processes]
    what = " and ".join(f"{run} ended with {end!r}" for run, end in zip(runs, ends, strict=True))
    done = [run for run, end in zip(runs, ends, strict=True) if end == "done"]
    assert len(done) >= (2 if meeting == "temp store" else 1), what
    for run in runs:
        sources = [other.source.name for other in done if other.target == run.target]
        assert found_at(run.target, known) in sources, what
    for run in runs:
        check_again(run, known)
    return " and ".join(sorted(end.partition(":")[0] for end in ends))


def kill(folder: Path, rng: random.Random) -> str:
    """Kill a run that replaces an old target, check what it leaves, and return that."""
    known = {name: make_source(folder / name, rng.randrange(1 << 30)) for name in ("x", "old")}
    run = Run(folder / "x", folder / "target", folder / "temp", "python", overwrite=True)
    old = Run(
        folder / "old", run.target, folder / "temp", "python", overwrite=False, chunks=(10, 10)
    )
    assert old() == "done"
    process = Process()
    process.runs.send(replace(run, target=folder / "first"))  # imports everything
    assert process.runs.recv() == "done"
    process.runs.send(run)
    while (run.target / "zarr.json").exists():  # it is the first object to go
        time.sleep(1e-4)
    time.sleep(rng.choice([0.0, 1e-3, 0.01, 0.1, 0.5]) * rng.random())
    process.process.kill()
    process.process.join()
    left = found_at(run.target, known)
    check_again(run, known)
    return {"x": "all new", "old": "all old", None: "nothing"}[left]


def check_again(run: Run, known: dict[str, dict[str, Any]]) -> None:
    """Check that the same call with `overwrite` works after what happened."""
    again = replace(run, overwrite=True, executor="python", delay=0.0)
    end = again()
    assert end == "done", f"{again} ended with {end!r}"
    assert found_at(again.target, known) == again.source.name


def main() -> None:
    """Run the pairs and the kills that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, ends = random.Random(options.seed), Counter[str]()
    processes = [Process(), Process()]
    for number in range(options.pairs):
        with tempfile.TemporaryDirectory() as folder:
            meeting = MEETINGS[number % len(MEETINGS)]
            ends[f"one {meeting}: {race(Path(folder), processes, meeting, rng)}"] += 1
    for process in processes:
        process.end()
    for _ in range(options.kills):
        with tempfile.TemporaryDirectory() as folder:
            ends["killed: " + kill(Path(folder), rng)] += 1
    for end, count in sorted(ends.items()):
        print(f"{count:4} {end}")


if __name__ == "__main__":
    main()
