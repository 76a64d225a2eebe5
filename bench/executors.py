"""Measure the overhead of executors: `python bench/executors.py python dask "dask cluster"`.

Needs rechunker-core[testing] and the packages of the executors. Times are wall-clock seconds, the
minimum of three runs; with --gigabyte, each executor in turn rechunks 1 GB, three times over.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import zarr

import rechunker
from rechunker.plugins import get_executor
from rechunker.testing import Nothing
from rechunker.types import CopySpec, Executor, Stage
from usage import Usage, measured

ROUNDS = 3
TASKS = (100, 1_000, 10_000)
MILLION = 1_000_000
# Bytes per task; tasks of this size get one batch each unless there are thousands of them.
LARGE = 10**9
SHAPE, FROM, TO, MEMORY = (1000, 500, 500), (10, 500, 500), (1000, 25, 25), "100MB"

SetUp = Callable[[], AbstractContextManager[Executor[Any]]]


@contextmanager
def named(name: str) -> Iterator[Executor[Any]]:
    """Yield the executor of this name."""
    yield get_executor(name)


@contextmanager
def dask_cluster() -> Iterator[Executor[Any]]:
    """Yield the dask executor with a cluster of two processes of one thread each."""
    from distributed import Client, LocalCluster

    sizes: Mapping[str, Any] = {"n_workers": 2, "threads_per_worker": 1}
    with LocalCluster(**sizes, dashboard_address=":0") as cluster, Client(cluster):
        yield get_executor("dask")


@contextmanager
def beam_processes() -> Iterator[Executor[Any]]:
    """Yield a Beam executor that starts two processes for each plan."""
    from rechunker.executors.beam import BeamExecutor

    yield BeamExecutor(options={"direct_running_mode": "multi_processing", "direct_num_workers": 2})


@contextmanager
def prefect_server() -> Iterator[Executor[Any]]:
    """Yield the prefect executor with a Prefect server that has a temporary home folder."""
    from prefect.events.worker import EventsWorker
    from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_LEVEL, temporary_settings

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    command = ["prefect", "server", "start", "--host=127.0.0.1", f"--port={port}", "--no-ui"]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        subprocess.Popen(
            [sys.executable, "-m", *command],
            env={**os.environ, "PREFECT_HOME": home, "PREFECT_SERVER_ANALYTICS_ENABLED": "false"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # hides its messages about being terminated
        ) as server,
        temporary_settings({PREFECT_API_URL: url, PREFECT_LOGGING_LEVEL: "WARNING"}),
    ):
        try:
            wait_for(f"{url}/health")
            yield get_executor("prefect")
            EventsWorker.drain_all(timeout=60)
        finally:
            server.terminate()


def wait_for(url: str) -> None:
    """Wait until a server answers at `url`."""
    while True:
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


# Executors that need more setup than their name.
SET_UPS: dict[str, SetUp] = {
    "dask cluster": dask_cluster,
    "beam processes": beam_processes,
    "prefect": prefect_server,
}


def set_up(name: str) -> AbstractContextManager[Executor[Any]]:
    """Return a context manager that sets up an executor and cleans up afterwards."""
    return SET_UPS[name]() if name in SET_UPS else named(name)


def specs(tasks: int, nbytes: int = 0) -> list[CopySpec]:
    """Return a copy spec with two equal stages, `tasks` tasks in total that do nothing."""
    stages = (
        Stage(f"a: {verb}", tasks // 2, Nothing(), nbytes=nbytes) for verb in ("read", "write")
    )
    return [CopySpec("a", tuple(stages))]


def fastest(run: Callable[[], Any]) -> float:
    """Return the minimum time of `ROUNDS` calls, in seconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def overheads(executor: Executor[Any]) -> Iterator[str]:
    """Yield lines with the time of executing plans whose tasks do nothing."""
    for tasks in TASKS:
        plan = executor.prepare_plan(specs(tasks))
        seconds = fastest(lambda plan=plan: executor.execute_plan(plan))  # type: ignore[misc]
        yield f"{tasks:,} tasks: {seconds:.3f} s, {1e3 * seconds / tasks:.4f} ms each"
    plan = executor.prepare_plan(specs(1000, nbytes=500 * LARGE))
    seconds = fastest(lambda: executor.execute_plan(plan))
    yield f"1,000 tasks in a batch each: {seconds:.3f} s, {seconds:.3f} ms each"


def plan_of_a_million(executor: Executor[Any]) -> str:
    """Return a line with the time to prepare a plan of a million tasks, and its pickled size."""
    large = specs(MILLION, nbytes=MILLION // 2 * 10**7)
    seconds = fastest(lambda: executor.prepare_plan(large))
    try:
        size = f"{len(cloudpickle.dumps(executor.prepare_plan(large))):,} bytes"
    except TypeError as error:
        size = f"cannot be pickled ({error})"
    return f"{MILLION:,} tasks: planned in {seconds:.3f} s; {size}"


def gigabyte(name: str, folder: Path) -> Usage:
    """Rechunk 1 GB and return time and memory, including setup and shutdown of the engine."""
    source = zarr.open_array(folder / "source.zarr", mode="r")
    own = folder / name.replace(" ", "_")
    with measured() as usage, set_up(name) as executor:
        rechunker.rechunk(
            source, TO, MEMORY, own / "target.zarr", temp_store=own / "temp", executor=executor
        ).execute()
    same = np.array_equal(np.asarray(zarr.open_array(own / "target.zarr")[...]), source[...])
    assert same, f"the target of {name} differs from the source"
    shutil.rmtree(own)
    return usage


def gigabytes(names: Sequence[str]) -> Iterator[str]:
    """Yield a line for each executor with the time it takes to rechunk 1 GB."""
    usages: dict[str, list[Usage]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        write_source(Path(folder))
        for _ in range(ROUNDS):
            for name, runs in usages.items():
                runs.append(gigabyte(name, Path(folder)))
    for name, runs in usages.items():
        wall, cpu = min(run.wall for run in runs), min(run.cpu for run in runs)
        yield f"{name}, 1 GB: {wall:.1f} s, {cpu:.1f} s CPU"


def write_source(folder: Path) -> None:
    """Write a source of 1 GB that compresses to half its size."""
    source = zarr.create_array(folder / "source.zarr", shape=SHAPE, chunks=FROM, dtype="i4")
    random = np.random.default_rng(0)
    for i in range(0, SHAPE[0], FROM[0]):
        source[i : i + FROM[0]] = random.integers(0, 2**16, FROM, "i4")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the measurements of each executor named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="+", help=f"names of executors, or any of {', '.join(SET_UPS)}"
    )
    parser.add_argument("--gigabyte", action="store_true", help="also rechunk 1 GB")
    chosen = parser.parse_args(arguments)
    for name in chosen.names:
        print(f"\n{name}")
        with set_up(name) as executor:
            for line in (*overheads(executor), plan_of_a_million(executor)):
                print(f"  {line}", flush=True)
    if chosen.gigabyte:
        print("", *gigabytes(chosen.names), sep="\n")


if __name__ == "__main__":
    main()
