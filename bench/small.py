"""Measure what is small: `python bench/small.py python "dask cluster"`.

A group of many small arrays, planned and executed with each executor, and one array of many tiny
chunks with the python executor. Times are CPU seconds of all processes, medians of some rounds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import rechunker
from executors import SET_UPS, set_up
from rechunker.types import Executor
from runs import middle
from table import markdown, row
from usage import Usage, begin, end, measured

__all__ = ["main"]

ARRAYS, CHUNKS = 1000, 40_000
SHAPE, FROM, TO = (100, 100), (20, 100), (100, 20)  # of each of the small arrays, in float32
TINY, TINY_TARGET = (10, 10), (20, 5)
HEAD = ["", "executor", "CPU", "time", "CPU each"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table with the costs of each executor named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", default=["python"], help=f"executors, or any of {', '.join(SET_UPS)}"
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="R", help="runs of each")
    parser.add_argument("--small", type=int, default=1, metavar="N", help="divide the numbers by N")
    options = parser.parse_args(arguments)
    arrays, chunks, rounds = ARRAYS // options.small, CHUNKS // options.small, options.rounds
    print(*markdown(HEAD), sep="\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="rechunker-bench-") as folder:
        group = write_group(Path(folder) / "group", arrays)
        for name in options.names:
            with set_up(name) as executor:
                usages = [measure(executor, group, dict.fromkeys(group, TO)) for _ in range(rounds)]
            print(line(f"{arrays:,} arrays of 40 kB", name, usages, arrays), flush=True)
        array = write_array(Path(folder) / "array", chunks)
        with set_up("python") as executor:
            usages = [measure(executor, array, TINY_TARGET) for _ in range(rounds)]
        print(line(f"{array.nchunks:,} chunks of 400 bytes", "python", usages, array.nchunks))
    return 0


def write_group(place: Path, arrays: int) -> zarr.Group:
    """Write a group of small arrays."""
    group = zarr.create_group(place)
    values = np.arange(SHAPE[0] * SHAPE[1], dtype="f4").reshape(SHAPE)
    for i in range(arrays):
        group.create_array(f"a{i}", data=values, chunks=FROM)
    return group


def write_array(place: Path, chunks: int) -> zarr.Array[Any]:
    """Write a square array of about as many tiny chunks."""
    side = TINY[0] * round(chunks**0.5)
    values = np.arange(side * side, dtype="f4").reshape(side, side)
    return zarr.create_array(place, data=values, chunks=TINY)


def measure(executor: Executor[Any], source: Any, chunks: Any) -> Usage:
    """Plan and execute, and return what that takes, in all processes."""
    with tempfile.TemporaryDirectory(prefix="rechunker-bench-") as folder:
        places = f"{folder}/target", f"{folder}/temp"
        _on_workers(executor, begin)
        with measured() as usage:
            rechunker.rechunk(
                source, chunks, "100MB", places[0], temp_store=places[1], executor=executor
            ).execute()
        usage = usage.with_others(_on_workers(executor, end))
        check(source, zarr.open(places[0], mode="r"))
        return usage


def check(source: Any, target: Any) -> None:
    """Compare an array, or the first and the last of a group."""
    if isinstance(source, zarr.Array):
        assert np.array_equal(source[...], target[...])
        return
    names = sorted(source)
    assert len(names) == len(sorted(target))
    for name in (names[0], names[-1]):
        assert np.array_equal(source[name][...], target[name][...])


def _on_workers(executor: Executor[Any], function: Any) -> list[Any]:
    """Call a function in all processes of a Dask cluster; other executors have none."""
    if type(executor).__name__ != "DaskExecutor":
        return []
    from distributed import get_client

    return list(get_client().run(function).values())


def line(what: str, name: str, usages: list[Usage], number: int) -> str:
    """Return a line of the table: medians."""
    usage = middle(usages)
    each = f"{1e3 * usage.cpu / number:.2f} ms"
    return row([what, name, f"{usage.cpu:.1f} s", f"{usage.wall:.1f} s", each])


if __name__ == "__main__":
    sys.exit(main())
