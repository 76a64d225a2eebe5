"""Plans: the stages that rechunk one array, with exact counts, and what is shown of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from rechunker.pictures import (
    ArrayFigures,
    Division,
    PlanFigures,
    Shown,
    StageFigures,
    plan_table,
)
from rechunker.planning.footprints import Footprint, Layout
from rechunker.planning.grids import Grid, axis_count, cell_widest, format_grid, regular_grid
from rechunker.planning.problem import Shards

__all__ = ["Chunking", "MemoryLimitError", "RechunkPlan", "StagePlan", "array_figures"]


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
class Chunking:
    """Chunks of an array, and the shards that they lie in.

    Parameters
    ----------
    chunks
        Grid of the chunks.
    shards
        Grid of the shards; None if each chunk is an object of its own.

    Examples
    --------
    >>> str(Chunking((10, 10), (100, 100))), str(Chunking((5,)))
    ('(10, 10) in shards (100, 100)', '(5,)')
    """

    chunks: Grid
    shards: Grid | None = None

    @property
    def objects(self) -> Grid:
        """Grid of the stored objects."""
        return self.chunks if self.shards is None else self.shards

    def __str__(self) -> str:
        inside = "" if self.shards is None else f" in shards {format_grid(self.shards)}"
        return f"{format_grid(self.chunks)}{inside}"


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


@dataclass(frozen=True, repr=False)
class RechunkPlan(Shown):
    """The stages that rechunk one array, with exact numbers of tasks, requests and bytes.

    Its repr says what will happen, ``print(plan)`` shows a table of its stages, and notebooks show
    drawings of the chunks.

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
        return plan_table(array_figures(self))

    def _figures(self) -> PlanFigures:
        shape = ("Shape", format_grid(self.shape))
        return PlanFigures("RechunkPlan", (shape,), (array_figures(self),), self.cost)


def array_figures(
    plan: RechunkPlan,
    name: str = "",
    *,
    dims: tuple[str, ...] = (),
    source: Chunking | None = None,
    target: Chunking | None = None,
) -> ArrayFigures:
    """Return what is shown of the plan of an array.

    Parameters
    ----------
    plan
        The plan.
    name
        Path of the array.
    dims
        Names of its dimensions; "" for one without a name.
    source, target
        Chunks of the source and the target, and their shards. By default what the plan knows of
        them: what is read and written as a whole.
    """
    known = Chunking(plan.source_chunks, None if plan.shards is None else plan.shards.grid)
    return ArrayFigures(
        name=name,
        dims=dims,
        shape=plan.shape,
        nbytes=prod(plan.shape) * plan.itemsize,
        max_mem=plan.max_mem,
        amplification=plan.read_amplification,
        seconds=plan.cost,
        divisions=tuple(_divisions(plan, source or known, target or Chunking(plan.target_chunks))),
        stages=tuple(_stages(plan)),
    )


def _divisions(plan: RechunkPlan, source: Chunking, target: Chunking) -> Iterator[Division]:
    def of(place: str, chunking: Chunking, count: int) -> Division:
        inner = None if chunking.shards is None else regular_grid(chunking.chunks)
        return Division(place, plan.shape, chunking.objects, count, str(chunking), inner)

    yield of("source", source, _number(plan.shape, source.objects))
    for place, stage in zip(_temps(plan.hops), plan.stages, strict=False):
        yield of(place, Chunking(stage.grid), stage.puts)
    yield of("target", target, _number(plan.shape, target.objects))


def _number(shape: tuple[int, ...], grid: Grid) -> int:
    return prod(axis_count(n, axis) for n, axis in zip(shape, grid, strict=True))


def _stages(plan: RechunkPlan) -> Iterator[StageFigures]:
    places = pairwise(["source", *_temps(plan.hops), "target"])
    for (before, after), stage in zip(places, plan.stages, strict=True):
        yield StageFigures(
            name=f"{before} -> {after}",
            boxes=format_grid(stage.grid),
            tasks=stage.tasks,
            gets=stage.gets,
            puts=stage.puts,
            bytes_read=stage.bytes_read,
            bytes_written=stage.bytes_written,
            memory=stage.memory,
        )


def _temps(hops: int) -> list[str]:
    return [f"temp {i + 1}" if hops > 1 else "temp" for i in range(hops)]
