"""Rechunk with Cubed and its threads."""

# /// script
# dependencies = ["cubed", "zarr>=3.1"]
# ///

from __future__ import annotations

import cubed

from peer import Job, open_target, run
from usage import Usage, measured

BLOSC = {"name": "blosc", "configuration": {"cname": "lz4", "clevel": 5, "shuffle": "shuffle"}}


def rechunk(job: Job) -> Usage:
    """Rechunk with two threads, each of which may take the memory of a task."""
    work = job.workload
    spec = cubed.Spec(
        work_dir=job.temp,
        allowed_mem=work.max_mem,
        zarr_compressor=BLOSC if work.compressed else None,
        executor_name="threads",
        executor_options={"max_workers": 2},
    )
    array = cubed.from_zarr(job.source, spec=spec)
    target = open_target(job)
    with measured() as usage:
        cubed.store([cubed.rechunk(array, work.target_unit)], [target])
    return usage


if __name__ == "__main__":
    run(rechunk)
