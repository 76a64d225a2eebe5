"""Rechunk with TensorStore: one array is written to another, with a cache of the allowed size."""

# /// script
# dependencies = ["tensorstore", "zarr>=3.1"]
# ///

from __future__ import annotations

from typing import Any

import tensorstore as ts

from peer import Job, open_target, run
from usage import Usage, measured


def rechunk(job: Job) -> Usage:
    """Copy with two threads."""
    open_target(job)
    context = ts.Context(
        {
            "cache_pool": {"total_bytes_limit": job.workload.max_mem},
            "data_copy_concurrency": {"limit": 2},
            "file_io_concurrency": {"limit": 2},
        }
    )
    source, target = (_open(folder, context) for folder in (job.source, job.target))
    with measured() as usage:
        target.write(source).result()
    return usage


def _open(folder: str, context: Any) -> Any:
    place = {"driver": "file", "path": folder}
    return ts.open({"driver": "zarr3", "kvstore": place}, open=True, context=context).result()


if __name__ == "__main__":
    run(rechunk)
