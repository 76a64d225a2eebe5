"""Measure how cost grows with the array and with memory: `python bench/growth.py --cache FOLDER`.

The array is that of W2, single maps to time series, with fewer or more maps. What is printed are
tables in Markdown.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from pathlib import Path

from climate import write_source
from rechunker.sizes import format_bytes
from runs import Run, middle, run_limit, run_project
from table import markdown, row
from usage import Usage
from workloads import WORKLOADS, Workload

__all__ = ["main"]

SIZES = tuple(int(size * 10**9) for size in (0.25, 1, 4))
MEMORIES = tuple(size * 10**6 for size in (50, 100, 256, 500, 1000, 2000))
HEAD = ["array", "`max_mem`", "hops", "read", "CPU, ns per byte", "CPU / limit", "peak / `max_mem`"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of growing arrays, and one of growing memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="R", help="runs of each")
    parser.add_argument("--small", type=int, default=1, metavar="N", help="divide the axes by N")
    parser.add_argument("--cache", type=Path, help="keep the sources in this folder")
    options = parser.parse_args(arguments)
    base = WORKLOADS["W2"]
    with tempfile.TemporaryDirectory(prefix="rechunker-bench-") as scratch:
        cache = options.cache or Path(scratch)
        cache.mkdir(parents=True, exist_ok=True)
        for works in (
            [grown(base, size) for size in SIZES],
            [replace(base, max_mem=size) for size in MEMORIES],
        ):
            small = [work.shrunk(options.small) for work in works]
            print(*measure(small, options.rounds, cache, Path(scratch)), "", sep="\n", flush=True)
    return 0


def grown(workload: Workload, nbytes: int) -> Workload:
    """Return a workload with fewer or more steps along the first axis, and whole series still."""
    steps = nbytes // (workload.itemsize * prod(workload.shape[1:]))
    return replace(
        workload, shape=(steps, *workload.shape[1:]), target=(steps, *workload.target[1:])
    )


def measure(works: Sequence[Workload], rounds: int, cache: Path, scratch: Path) -> list[str]:
    """Return the lines of a table; workloads take turns."""
    limits: list[list[Usage]] = [[] for _ in works]
    runs: list[list[Run]] = [[] for _ in works]
    for _ in range(rounds):
        for work, floor, mine in zip(works, limits, runs, strict=True):
            source = cache / f"growth-{'x'.join(map(str, work.shape))}.zarr"
            write_source(work, source)
            floor.append(run_limit(work, source, scratch))
            mine.append(run_project(work, source, scratch))
    return [*markdown(HEAD), *map(line, works, limits, runs)]


def line(work: Workload, limits: list[Usage], runs: list[Run]) -> str:
    """Return a line of the table: medians, and the largest peak."""
    usage, figures = middle([run.usage for run in runs]), runs[0].printed["figures"]
    read = figures["bytes_read"][1] / work.nbytes
    hops = round(figures["bytes_written"][1] / work.nbytes) - 1
    return row(
        [
            format_bytes(work.nbytes),
            format_bytes(work.max_mem),
            str(hops),
            f"{read - hops:.2f}",
            f"{1e9 * usage.cpu / work.nbytes:.2f}",
            f"{usage.cpu / middle(limits).cpu:.2f}",
            f"{usage.peak / work.max_mem:.2f}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
