"""Count what small workloads take: requests, calls into the system, Python's calls, and memory.

`python bench/counts.py` prints a line for each. Nothing is timed, so the figures are those of any
machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import zarr

import rechunker
from climate import write_source
from rechunker.executors.python import PythonExecutor
from workloads import WORKLOADS, Workload

__all__ = ["HUNDREDTHS", "Counts", "count_apart", "main"]

# A hundredth of the bytes, more or less. Where chunks are small, there are fewer of them; elsewhere
# there are as many, but smaller ones.
HUNDREDTHS = {
    **{name: WORKLOADS[name].shrunk(5) for name in ("W1", "W2", "float64", "raw", "to-shards")},
    "W4": WORKLOADS["W4"].shrunk(10),
    "W5": replace(WORKLOADS["W5"], shape=(100, 320, 160), max_mem=3_200_000),
    "from-shards": replace(
        WORKLOADS["from-shards"].shrunk(4),
        shape=(128, 64, 64),
        target=(128, 4, 4),
        max_mem=5_000_000,
    ),
    "sparse": replace(WORKLOADS["sparse"], shape=(1000, 1000), max_mem=1_000_000),
}
FIRST = WORKLOADS["W2"].shrunk(20)
THREADS = 2
HERE = "--here"  # argument that asks to count in this process
# Functions that call into the system on behalf of files.
SYSTEM = frozenset(
    [
        *("open", "close", "read", "readv", "pread", "preadv", "write", "pwrite", "lseek", "fsync"),
        *("stat", "lstat", "fstat", "access", "listdir", "scandir", "readlink"),
        *("mkdir", "rename", "replace", "link", "symlink", "unlink", "remove", "rmdir", "utime"),
        *("ftruncate", "truncate", "posix_fallocate", "FileIO.read", "FileIO.readinto"),
        *("FileIO.write", "FileIO.readall", "BufferedReader.read", "BufferedWriter.write"),
    ]
)
# Functions and methods of NumPy that allocate memory for elements.
ALLOCATING = frozenset(
    [
        *("empty", "zeros", "array", "concatenate", "empty_like"),
        *("ndarray.copy", "ndarray.astype", "ndarray.tobytes", "ndarray.flatten"),
    ]
)
NAMED = SYSTEM | ALLOCATING
MODULES = ("posix", "nt", "_io", "numpy")


@dataclass(frozen=True)
class Counts:
    """What a workload took.

    Parameters
    ----------
    chunks
        Number of source chunks and target chunks, of those inside shards where there are any.
    wrong
        What differs from the plan: for each name the planned and the executed number.
    stored
        Bytes that were written, and read, over the decoded bytes of the array.
    requests
        Number of read and write requests.
    system
        Calls into the system on behalf of files, by name.
    allocations
        Calls of NumPy that make an array or bytes, per chunk, without those of making the plan.
    calls
        Calls of all functions of Python and C per chunk, without those of making the plan.
    """

    chunks: int
    wrong: dict[str, tuple[int, int]]
    stored: tuple[float, float]
    requests: int
    system: dict[str, int]
    allocations: float
    calls: float

    @property
    def system_per_request(self) -> float:
        """Calls into the system for each read and write request."""
        return sum(self.system.values()) / self.requests


class Listener:
    """Hears of all calls in all threads, while it is told to."""

    def __init__(self) -> None:
        self._heard: list[str] = []  # `append` is safe with several threads
        self._is_listening = False
        threading.setprofile(self._hear)
        sys.setprofile(self._hear)

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        """Yield a list that gets the names of the functions that are called."""
        self._heard = []
        self._is_listening = True
        try:
            yield self._heard
        finally:
            self._is_listening = False

    def _hear(self, frame: Any, event: str, function: Any) -> None:
        if not self._is_listening:
            return
        if event == "call":
            self._heard.append("")
        elif event == "c_call":
            name = function.__qualname__
            module = function.__module__ or type(function.__self__).__module__
            self._heard.append(name if name in NAMED and module in MODULES else "")


def count(workload: Workload, folder: Path, listener: Listener) -> Counts:
    """Plan and execute a workload, and count what that takes."""
    array = zarr.open_array(folder / f"{workload.name}.zarr", mode="r")
    place = folder / f"{workload.name}-rechunked"
    with listener.listening() as planning:
        rechunked = rechunker.rechunk(
            array,
            workload.target,
            workload.max_mem,
            place / "target",
            {"shards": workload.target_shards},
            place / "temp",
            executor=PythonExecutor(THREADS),
        )
    with listener.listening() as executing:
        rechunked.execute()
    return make_counts(workload, rechunked, planning, executing)


def make_counts(
    workload: Workload,
    rechunked: rechunker.Rechunked[Any],
    planning: Sequence[str],
    executing: Sequence[str],
) -> Counts:
    """Put the figures of a workload together, per chunk."""
    traffic = rechunked.traffic
    assert traffic is not None
    stages = [stage for plan in rechunked.copy_plan.values() for stage in plan.stages]
    pairs = {
        name: (sum(getattr(stage, name) for stage in stages), done)
        for name, done in {
            "tasks": traffic.tasks,
            "gets": traffic.gets + traffic.missing + traffic.joined,
            "puts": traffic.puts + traffic.empty,
            "bytes_read": traffic.bytes_read,
        }.items()
    }
    chunks = sum(
        prod(-(-n // c) for n, c in zip(workload.shape, widths, strict=True))
        for widths in (workload.source, workload.target)
    )
    system = Counter(name for name in (*planning, *executing) if name)
    return Counts(
        chunks=chunks,
        wrong={name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
        stored=(traffic.stored_read / workload.nbytes, traffic.stored_written / workload.nbytes),
        requests=traffic.gets + traffic.puts,
        system={name: n for name, n in system.most_common() if name not in ALLOCATING},
        allocations=sum(name in ALLOCATING for name in executing) / chunks,
        calls=len(executing) / chunks,
    )


def count_apart(names: Sequence[str]) -> dict[str, Counts]:
    """Count what workloads take, in a new process, which nothing else has warmed up."""
    with tempfile.TemporaryDirectory(prefix="rechunker-counts-") as folder:
        for name in names:
            write_source(HUNDREDTHS[name], Path(folder, f"{HUNDREDTHS[name].name}.zarr"))
        command = [sys.executable, __file__, HERE, folder, *names]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return {name: Counts(**counts) for name, counts in json.loads(printed).items()}


def count_here(folder: Path, names: Sequence[str]) -> dict[str, Counts]:
    """Count what workloads take in this process, given a folder with their sources."""
    listener = Listener()
    # What is loaded and kept at the first run is not counted.
    (folder / "first").mkdir()
    write_source(FIRST, folder / "first" / f"{FIRST.name}.zarr")
    count(FIRST, folder / "first", listener)
    return {name: count(HUNDREDTHS[name], folder, listener) for name in names}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the counts of the workloads on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(HUNDREDTHS), help="default: all")
    for name, counts in count_apart(parser.parse_args(arguments).names).items():
        system = ", ".join(f"{number} {call}" for call, number in counts.system.items())
        read, written = counts.stored
        print(
            f"{name}: {counts.chunks} chunks, {counts.requests} requests; "
            f"stored bytes read {read:.3f}, written {written:.3f}; "
            f"allocations per chunk {counts.allocations:.2f}, calls per chunk {counts.calls:.1f}; "
            f"into the system per request {counts.system_per_request:.2f}\n    {system}"
        )
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == [HERE]:
        found = count_here(Path(sys.argv[2]), sys.argv[3:])
        print(json.dumps({name: asdict(counts) for name, counts in found.items()}))
    else:
        sys.exit(main())
