"""Plans: what rechunking an array will do, stage by stage, and how a plan is shown."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from rechunker.planning.footprints import Footprint, Layout
from rechunker.planning.grids import Grid, format_grid
from rechunker.sizes import format_bytes

__all__ = ["MemoryLimitError", "RechunkPlan", "StagePlan"]


class MemoryLimitError(ValueError):
    """No plan keeps its tasks within the memory at hand.

    Attributes
    ----------
    needed
        Bytes that would do.
    """

    def __init__(self, message: str, needed: int):
        super().__init__(message, needed)
        self.needed = needed

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class StagePlan:
    """What the tasks of one stage do.

    Parameters
    ----------
    grid
        The boxes of the tasks: their width along every axis, or the sizes one by one.
    tasks
        Number of tasks, one per box.
    gets
        Requests by which all tasks read source units (stage 0) or cells of temporary objects (two
        for each cell, where they are compressed).
    puts
        Temporary objects, or target units (last stage), that all tasks write.
    bytes_read, bytes_written
        Decoded bytes of the elements that all tasks read and write.
    memory
        Bytes that one task holds at most.
    layout
        How a task keeps its box.
    """

    grid: Grid
    tasks: int
    gets: int
    puts: int
    bytes_read: int
    bytes_written: int
    memory: int
    layout: Layout


@dataclass(frozen=True)
class RechunkPlan:
    """A chain of stages that rechunks one array, with all that it will do.

    Parameters
    ----------
    shape
        Shape of the array.
    source_chunks, target_chunks
        Units that are read and written, cut off at the end of the array.
    itemsize
        Bytes per element.
    max_mem
        Bytes that one task may hold.
    stages
        What happens, in order. Between two stages every element is in a temporary object.
    cost
        Modelled time in seconds, see `rechunker.planning.CostModel`.
    footprint
        Bytes that a task holds beside its box.
    """

    shape: tuple[int, ...]
    source_chunks: Grid
    target_chunks: tuple[int, ...]
    itemsize: int
    max_mem: int
    stages: tuple[StagePlan, ...]
    cost: float
    footprint: Footprint

    @property
    def hops(self) -> int:
        """How many times the array is copied to temporary objects on its way."""
        return len(self.stages) - 1

    @property
    def peak_memory(self) -> int:
        """Bytes that a task of the hungriest stage holds at most."""
        return max(stage.memory for stage in self.stages)

    @property
    def read_amplification(self) -> float:
        """Decoded bytes read from the source over bytes of the array; 1.0 if each is read once."""
        nbytes = prod(self.shape) * self.itemsize
        return self.stages[0].bytes_read / nbytes if nbytes else 1.0

    def __str__(self) -> str:
        return _describe(self)


def _describe(plan: RechunkPlan) -> str:
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


def _duration(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.2g} seconds"
