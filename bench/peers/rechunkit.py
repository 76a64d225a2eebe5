"""Rechunk with rechunkit, which is given arrays of Zarr to read from and to write to."""

# /// script
# dependencies = ["rechunkit", "zarr>=3.1"]
# ///

from __future__ import annotations

from rechunkit import rechunker

from peer import Job, open_source, open_target, run
from usage import Usage, measured


def rechunk(job: Job) -> Usage:
    """Write each chunk, or shard, as the generator yields it."""
    work = job.workload
    source, target = open_source(job), open_target(job)
    with measured() as usage:
        pieces = rechunker(
            source.__getitem__,
            source.shape,
            source.dtype,
            work.source_unit,
            work.target_unit,
            work.max_mem,
        )
        for region, values in pieces:
            target[region] = values
    return usage


if __name__ == "__main__":
    run(rechunk)
