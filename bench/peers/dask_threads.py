"""Rechunk with dask.array and its threads, by way of tasks."""

# /// script
# dependencies = ["dask[array]", "zarr>=3.1"]
# ///

from __future__ import annotations

import dask
import dask.array as da

from peer import Job, open_source, open_target, run
from usage import Usage, measured


def rechunk(job: Job) -> Usage:
    """Rechunk with two threads."""
    work = job.workload
    array = da.from_zarr(open_source(job), chunks=work.source_unit)
    target = open_target(job)
    with measured() as usage, dask.config.set(scheduler="threads", num_workers=2):
        array.rechunk(work.target_unit, method="tasks").to_zarr(target)
    return usage


if __name__ == "__main__":
    run(rechunk)
