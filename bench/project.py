"""Rechunk a workload with Rechunker, and measure time, memory and requests."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import zarr

import rechunker
from compare import differences, differences_of_stored
from usage import Usage, measured
from workloads import Workload

__all__ = ["Outcome", "rechunk", "rechunk_apart"]


FIGURES = ("tasks", "gets", "puts", "bytes_read", "bytes_written")


@dataclass(frozen=True)
class Outcome:
    """Result of one run.

    Parameters
    ----------
    usage
        Time and memory.
    figures
        For each name in `FIGURES` the predicted and the executed number.
    different
        Number of target elements that differ from the source.
    plan
        The plan as text.
    """

    usage: Usage
    figures: dict[str, tuple[int, int]]
    different: int
    plan: str


def rechunk(workload: Workload, source: Path, target: Path, temp: Path) -> Outcome:
    """Rechunk a workload with the python executor, measure it, and compare the arrays."""
    array = zarr.open_array(source, mode="r")
    rechunked = rechunker.rechunk(
        array,
        target_chunks=workload.target,
        max_mem=workload.max_mem,
        target_store=str(target),
        target_options={"shards": workload.target_shards},
        temp_store=str(temp),
        executor="python",
    )
    with measured() as usage:
        result = rechunked.execute()
    assert isinstance(result, zarr.Array)
    (plan,) = rechunked.copy_plan.values()
    traffic = rechunked.traffic
    assert traffic is not None
    # What need not be asked for, or written, is planned for all the same.
    left_out = {"gets": traffic.missing + traffic.joined, "puts": traffic.empty}
    figures = {
        name: (
            sum(getattr(stage, name) for stage in plan.stages),
            getattr(traffic, name) + left_out.get(name, 0),
        )
        for name in FIGURES
        if not (workload.stored and name == "bytes_written")
    }
    compare = differences_of_stored if workload.stored else differences
    return Outcome(usage, figures, compare(array, result), str(plan))


def rechunk_apart(workload: Workload, *paths: Path) -> Outcome:
    """Run `rechunk` in a new process, so that earlier allocations do not affect its peak memory."""
    command = [sys.executable, __file__, workload.to_json(), *map(str, paths)]
    printed = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    figures = {name: (predicted, done) for name, (predicted, done) in printed["figures"].items()}
    return Outcome(Usage(**printed["usage"]), figures, printed["different"], printed["plan"])


if __name__ == "__main__":
    text, *paths = sys.argv[1:]
    print(json.dumps(asdict(rechunk(Workload.from_json(text), *map(Path, paths)))))
