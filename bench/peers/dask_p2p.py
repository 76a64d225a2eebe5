"""Rechunk with dask.array on a cluster of two processes, by way of P2P."""

# /// script
# dependencies = ["dask[array]", "distributed", "zarr>=3.1"]
# ///

from __future__ import annotations

from importlib import import_module
from typing import Any

import dask.array as da
from distributed import Client, LocalCluster

from peer import Job, open_source, open_target, run
from usage import Usage, begin, end, measured

MEMORY = "4GB"  # of a worker; it writes to disk before that is full
NEEDED = ("dask.array", "distributed.shuffle", "zarr")


def rechunk(job: Job) -> Usage:
    """Rechunk with two workers of one thread each; what it takes to start them is not counted."""
    work = job.workload
    sizes: Any = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": MEMORY}
    places: Any = {"local_directory": job.temp, "dashboard_address": None}
    with LocalCluster(**sizes, **places) as cluster, Client(cluster) as client:
        for name in NEEDED:
            client.run(_load, name)
        array = da.from_zarr(open_source(job), chunks=work.source_unit)
        target = open_target(job)
        client.run(begin)
        with measured() as usage:
            array.rechunk(work.target_unit, method="p2p").to_zarr(target)
        return usage.with_others(client.run(end).values())


def _load(name: str) -> None:
    import_module(name)


if __name__ == "__main__":
    run(rechunk)
