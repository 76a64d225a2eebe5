"""Rechunk 1.5 GB of climate-like maps to time series within 500 MB; show time, memory, requests."""

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

# Below this, the memory that the interpreter itself takes and releases hides that of the tasks.
MEASURABLE = 64 * 10**6

LABELS: dict[str, tuple[str, Callable[[int], str]]] = {
    "tasks": ("tasks", str),
    "gets": ("read requests", str),
    "puts": ("write requests", str),
    "bytes_read": ("bytes read", format_bytes),
    "bytes_written": ("bytes written", format_bytes),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; return 0 if the arrays are equal and memory stayed within the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=1, metavar="N", help="divide the axes by N")
    small = parser.parse_args(arguments).small
    workload = WORKLOADS["W1"].shrunk(small)
    with tempfile.TemporaryDirectory(prefix="rechunker-demo-") as folder:
        print(introduction(workload), flush=True)
        source = Path(folder) / "source.zarr"
        write_source(workload, source)
        paths = (source, Path(folder, "target.zarr"), Path(folder, "temp.zarr"))
        outcome = rechunk_apart(workload, *paths)
    print(report(workload, outcome))
    failures = complaints(workload, outcome)
    ok = "The target equals the source, and memory stayed within max_mem."
    print(*failures or [ok], sep="\n")
    return 1 if failures else 0


def introduction(workload: Workload) -> str:
    """Return lines that describe the workload."""
    return (
        f"rechunker {rechunker.__version__}: float32 {workload.shape}, "
        f"{format_bytes(workload.nbytes)}\n"
        f"from chunks {workload.source}\n"
        f"  to chunks {workload.target} with max_mem = {format_bytes(workload.max_mem)}\n"
        "writing the source ..."
    )


def report(workload: Workload, outcome: Outcome) -> str:
    """Return the plan and a table of predicted and executed figures."""
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
            f"max_mem = {format_bytes(workload.max_mem)}",
        ]
    )


def complaints(workload: Workload, outcome: Outcome) -> list[str]:
    """Return a message for each promise that was broken."""
    messages = []
    if outcome.different:
        messages.append(f"FAILED: {outcome.different} elements of the target differ")
    peak, limit = outcome.usage.peak, max(workload.max_mem, MEASURABLE)
    if peak > limit:
        messages.append(f"FAILED: peak memory must be at most {limit} bytes, got {peak}")
    for name, (predicted, executed) in outcome.figures.items():
        if predicted != executed:
            messages.append(f"FAILED: {name}: {predicted} predicted, {executed} executed")
    return messages


if __name__ == "__main__":
    sys.exit(main())
