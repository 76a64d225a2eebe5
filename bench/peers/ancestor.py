"""Rechunk with Rechunker 0.5.4, Zarr 2 and Dask's threads."""

# /// script
# dependencies = ["rechunker==0.5.4", "zarr<3", "numcodecs<0.16"]
# ///

from __future__ import annotations

from typing import Any

import zarr
from numcodecs import Blosc

from peer import CannotError, Job, run
from usage import Usage, measured

ZARR_FORMAT = 2


def rechunk(job: Job) -> Usage:
    """Rechunk with the executor "dask", which uses threads."""
    import rechunker

    work = job.workload
    if work.source_shards or work.target_shards:
        raise CannotError("Zarr 2 has no shards")
    options: dict[str, Any] = {
        "compressor": Blosc("lz4", 5, Blosc.SHUFFLE) if work.compressed else None
    }
    plan = rechunker.rechunk(
        zarr.open_array(job.source, mode="r"),
        work.target,
        work.max_mem,
        job.target,
        options,
        job.temp,
        executor="dask",
    )
    with measured() as usage:
        plan.execute(scheduler="threads", num_workers=2)
    return usage


if __name__ == "__main__":
    run(rechunk)
