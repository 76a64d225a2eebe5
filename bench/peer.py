"""What the programs in `peers` share: the job they are given, and how they tell what it took."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from usage import Usage
from workloads import Workload

__all__ = ["CannotError", "Job", "open_source", "open_target", "run"]

LONGEST = 70  # characters of an error


class CannotError(Exception):
    """A peer has no way to do a workload; the message says why."""


@dataclass(frozen=True)
class Job:
    """A workload, and where its arrays lie.

    Parameters
    ----------
    workload
        What to rechunk.
    source
        Folder of the source.
    target, temp
        Folders to write to, which do not exist.
    """

    workload: Workload
    source: str
    target: str
    temp: str


def run(rechunk: Callable[[Job], Usage]) -> None:
    """Do the job on the command line, and print as JSON what it took, or why it was not done.

    Parameters
    ----------
    rechunk
        Does a job, and returns the time and memory that the rechunking itself takes.
    """
    text, *folders = sys.argv[1:]
    outcome: dict[str, Any] = {}
    try:
        outcome["usage"] = asdict(rechunk(Job(Workload.from_json(text), *folders)))
    except CannotError as reason:
        outcome["failure"] = str(reason)
    except Exception as error:  # noqa: BLE001 - whatever it is, it goes into the table
        lines = str(error).strip().splitlines() or [""]
        outcome["failure"] = f"fails: {type(error).__name__}: {lines[0]}"[:LONGEST]
    # Programs may have printed something else before.
    print("\n" + json.dumps(outcome), flush=True)


def open_source(job: Job) -> Any:
    """Open the source with Zarr."""
    import zarr

    return zarr.open_array(job.source, mode="r")


def open_target(job: Job) -> Any:
    """Create the target with Zarr 3, with the codec of the workload."""
    import zarr
    from zarr.codecs import BloscCodec

    work = job.workload
    blosc = BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")
    return zarr.create_array(
        Path(job.target),
        shape=work.shape,
        chunks=work.target,
        shards=work.target_shards,
        dtype=work.dtype,
        compressors=blosc if work.compressed else None,
    )
