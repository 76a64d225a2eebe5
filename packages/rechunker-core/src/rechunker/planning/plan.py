"""Plans: the stages that rechunk one array, with exact counts, and their display as text."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

from rechunker.planning.footprints import Footprint, Layout
from rechunker.planning.grids import Grid, cell_widest, format_grid
from rechunker.planning.problem import Shards
from rechunker.sizes import format_bytes

__all__ = ["MemoryLimitError", "RechunkPlan", "StagePlan"]


class MemoryLimitError(ValueError):
    """No plan keeps its tasks within `max_mem`.

    Parameters
    ----------
    message
        Text of the error.
    needed
        Value of `max_mem`, in bytes, with which there is a plan.
    array
        Name of the array; "" if there is but one.

    Attributes
    ----------
    needed
        Value of `max_mem`, in bytes, with which there is a plan.
    array
        Name of the array.
    """

    def __init__(self, message: str, needed: int, array: str = ""):
        super().__init__(message, needed, array)
        self.needed = needed
        self.array = array

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True)
class StagePlan:
    """One stage of a plan: its boxes, and the work of all its tasks together.

    Parameters
    ----------
    grid
        Boxes of the tasks: for each axis the width of all boxes in elements, or a tuple with the
        size of each box.
    tasks
        Number of tasks, one per box.
    gets
        Number of reads: one per source unit (chunk or shard) and box in the first stage, and one
        per shard and box if chunks in shards are read one by one; one per cell in later stages, or
        two per cell if temporary objects are compressed. Chunks that lie close to each other in
        their shard are read with one request.
    puts
        Number of objects written: temporary objects, or target units in the last stage.
    bytes_read, bytes_written
        Decoded bytes of the elements that are read and written.
    memory
        Peak memory of one task in bytes.
    layout
        How a task holds its box in memory.
    parts
        Number of temporary objects that a task writes its cells to, unless it has fewer of them.
    """

    grid: Grid
    tasks: int
    gets: int
    puts: int
    bytes_read: int
    bytes_written: int
    memory: int
    layout: Layout
    parts: int = 1


@dataclass(frozen=True)
class RechunkPlan:
    """The stages that rechunk one array, with exact numbers of tasks, requests and bytes.

    ``print(plan)`` shows it as a table.

    Parameters
    ----------
    shape
        Shape of the array.
    source_chunks, target_chunks
        Chunks (or shards) of the source and the target, clipped to the length of each axis. An
        axis of the source with irregular chunks has a tuple with the size of each.
    itemsize
        Bytes per element.
    max_mem
        Memory limit per task in bytes.
    stages
        The stages in order. Between two stages all elements are in temporary objects.
    cost
        Modelled time in seconds, see `rechunker.planning.CostModel`.
    footprint
        Memory that one task needs besides its box.
    shards
        Shards whose chunks are read one by one; None if source objects are read whole.
    """

    shape: tuple[int, ...]
    source_chunks: Grid
    target_chunks: tuple[int, ...]
    itemsize: int
    max_mem: int
    stages: tuple[StagePlan, ...]
    cost: float
    footprint: Footprint
    shards: Shards | None = None

    @property
    def hops(self) -> int:
        """Number of copies through temporary objects: 0 for a direct copy."""
        return len(self.stages) - 1

    @property
    def peak_memory(self) -> int:
        """Peak memory of one task in bytes, in the stage that needs most."""
        return max(stage.memory for stage in self.stages)

    @property
    def largest_cell(self) -> int:
        """Decoded bytes of the largest cell of a temporary object; 0 for a direct copy."""
        pairs = pairwise(stage.grid for stage in self.stages)
        widths = (map(cell_widest, self.shape, a, b) for a, b in pairs)
        return max((prod(cell) * self.itemsize for cell in widths), default=0)

    @property
    def read_amplification(self) -> float:
        """Decoded bytes read from the source, divided by the bytes of the array; 1.0 is ideal."""
        nbytes = prod(self.shape) * self.itemsize
        return self.stages[0].bytes_read / nbytes if nbytes else 1.0

    def __str__(self) -> str:
        return _describe(self)


def _describe(plan: RechunkPlan) -> str:
    """Format a plan as a table of its stages, between a line on the array and one on the totals."""
    nbytes = prod(plan.shape) * plan.itemsize
    inside = "" if plan.shards is None else f" in shards {format_grid(plan.shards.grid)}"
    chunks = f"{format_grid(plan.source_chunks)}{inside} -> {format_grid(plan.target_chunks)}"
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
    """Return the lines of the table, with aligned columns."""
    rows = [["stage", "boxes", "tasks", "gets", "puts", "read", "written", "memory"]]
    for name, stage in zip(_stage_names(plan.hops), plan.stages, strict=True):
        counts = (f"{count:,}" for count in (stage.tasks, stage.gets, stage.puts))
        sizes = (stage.bytes_read, stage.bytes_written, stage.memory)
        rows.append([name, format_grid(stage.grid), *counts, *map(format_bytes, sizes)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([name.ljust(widths[0]), *map(str.rjust, figures, widths[1:])])
        for name, *figures in rows
    ]


def _stage_names(hops: int) -> list[str]:
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
