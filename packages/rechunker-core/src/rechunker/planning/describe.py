"""Descriptions: plans as text, for people."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING

from rechunker.planning.grids import Axis, Grid
from rechunker.sizes import format_bytes

if TYPE_CHECKING:
    from rechunker.planning.plan import RechunkPlan

__all__ = ["describe", "format_grid"]


def describe(plan: RechunkPlan) -> str:
    """Return a plan as a small table, between a line on the array and one on the whole plan."""
    nbytes = prod(plan.shape) * plan.itemsize
    chunks = f"{format_grid(plan.source_chunks)} -> {format_grid(plan.target_chunks)}"
    memory = f"{format_bytes(plan.peak_memory)} of {format_bytes(plan.max_mem)}"
    return "\n".join(
        (
            f"{format_grid(plan.shape)}, {format_bytes(nbytes)}, from chunks {chunks}",
            *_table(plan),
            f"memory of a task: {memory}; read amplification: {plan.read_amplification:.2f}; "
            f"estimate: {_duration(plan.cost)}",
        )
    )


def _table(plan: RechunkPlan) -> list[str]:
    """Return the stages as lines, with columns that line up."""
    rows = [["stage", "boxes", "tasks", "gets", "puts", "read", "written", "memory"]]
    for name, stage in zip(_names(plan.hops), plan.stages, strict=True):
        counts = (f"{count:,}" for count in (stage.tasks, stage.gets, stage.puts))
        sizes = (stage.bytes_read, stage.bytes_written, stage.memory)
        rows.append([name, format_grid(stage.grid), *counts, *map(format_bytes, sizes)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([name.ljust(widths[0]), *map(str.rjust, figures, widths[1:])])
        for name, *figures in rows
    ]


def _names(hops: int) -> list[str]:
    if not hops:
        return ["source -> target"]
    temps = [f"temp {i + 1}" if hops > 1 else "temp" for i in range(hops)]
    places = ["source", *temps, "target"]
    return [f"{a} -> {b}" for a, b in pairwise(places)]


def format_grid(grid: Grid) -> str:
    """Return a grid as a tuple; an irregular axis as the number and the limit of its blocks.

    Examples
    --------
    >>> format_grid((24, 721)), format_grid(((5, 2, 3),))
    ('(24, 721)', '(3 x <=5,)')
    """
    return "(" + ", ".join(map(_axis, grid)) + ("," if len(grid) == 1 else "") + ")"


def _axis(axis: Axis) -> str:
    return str(axis) if isinstance(axis, int) else f"{len(axis)} x <={max(axis)}"


def _duration(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.2g} seconds"
