"""Rechunk 1.5 GB of climate-like maps to time series within 500 MB, and show what it took."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import rechunker
from climate import write_source
from project import Outcome, rechunk_apart
from rechunker.sizes import format_bytes
from workloads import WORKLOADS, Workload

__all__ = ["main"]

# Smaller limits than this drown in what the interpreter takes and gives back by itself.
MEASURABLE = 64 * 10**6

LABELS: dict[str, tuple[str, Callable[[int], str]]] = {
    "tasks": ("tasks", str),
    "gets": ("read requests", str),
    "puts": ("write requests", str),
    "bytes_read": ("bytes read", format_bytes),
    "bytes_written": ("bytes written", format_bytes),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; the exit status is 0 if the arrays are equal and the memory was enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=1, metavar="N", help="divide the axes by N")
    small = parser.parse_args(arguments).small
    workload = WORKLOADS["W1"].shrunk(small)
    with tempfile.TemporaryDirectory(prefix="rechunker-demo-") as folder:
        print(introduction(workload), flush=True)
        source = Path(folder) / "source.zarr"
        write_source(workload, source)
        places = (source, Path(folder, "target.zarr"), Path(folder, "temp.zarr"))
        outcome = rechunk_apart(workload, small, *places)
    print(report(workload, outcome))
    failures = complaints(workload, outcome)
    print(*failures or ["The target equals the source, and the memory was enough."], sep="\n")
    return 1 if failures else 0


def introduction(workload: Workload) -> str:
    """Say what will be done."""
    return (
        f"rechunker {rechunker.__version__}: float32 {workload.shape}, "
        f"{format_bytes(workload.nbytes)}\n"
        f"from chunks {workload.source}\n"
        f"  to chunks {workload.target} with max_mem = {format_bytes(workload.max_mem)}\n"
        "writing the source ..."
    )


def report(workload: Workload, outcome: Outcome) -> str:
    """Lay out what was predicted and what was executed."""
    rows = [("", "predicted", "executed")]
    for name, (label, style) in LABELS.items():
        predicted, executed = map(style, outcome.figures[name])
        rows.append((label, predicted, executed))
    usage = outcome.usage
    return "\n".join(
        [
            "",
            outcome.plan,
            "",
            *(f"{name:16}{predicted:>14}{executed:>14}" for name, predicted, executed in rows),
            "",
            f"wall time       {usage.wall:8.2f} s",
            f"CPU time        {usage.cpu:8.2f} s",
            f"peak memory     {format_bytes(usage.peak)} above the baseline, "
            f"{format_bytes(workload.max_mem)} allowed",
        ]
    )


def complaints(workload: Workload, outcome: Outcome) -> list[str]:
    """Return what is not as promised."""
    found = []
    if outcome.different:
        found.append(f"FAILED: {outcome.different} elements of the target differ")
    if outcome.usage.peak > max(workload.max_mem, MEASURABLE):
        found.append("FAILED: the process took more memory than was allowed")
    for name, (predicted, executed) in outcome.figures.items():
        if predicted != executed:
            found.append(f"FAILED: {name}: {predicted} predicted, {executed} executed")
    return found


if __name__ == "__main__":
    sys.exit(main())
