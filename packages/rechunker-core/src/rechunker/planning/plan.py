"""Plans: what rechunking an array will do, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from rechunker.planning.costs import LOCAL, CostModel
from rechunker.planning.describe import describe, format_grid
from rechunker.planning.footprints import Footprint, Layout
from rechunker.planning.grids import Grid
from rechunker.planning.predictions import StageFigures
from rechunker.planning.problem import Problem, pose
from rechunker.planning.search import least_memory, search
from rechunker.sizes import format_bytes, parse_bytes

__all__ = ["Footprint", "Layout", "MemoryLimitError", "RechunkPlan", "StagePlan", "plan_rechunk"]


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
        Modelled time in seconds, see `rechunker.planning.costs.CostModel`.
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
        return describe(self)


def plan_rechunk(
    shape: Sequence[int],
    source_chunks: Sequence[int | Sequence[int]],
    target_chunks: Sequence[int],
    itemsize: int,
    max_mem: int | str,
    *,
    cost: CostModel | None = None,
    temp: bool = True,
    max_hops: int = 4,
    footprint: Footprint | None = None,
) -> RechunkPlan:
    """Find the cheapest way to rechunk an array within a memory limit.

    No array is touched: this is arithmetic on shapes.

    Parameters
    ----------
    shape
        Shape of the array.
    source_chunks
        What can only be read as a whole: chunks, or shards. One width per axis, or the sizes of
        all blocks along it. No task shares a block with another if an axis has sizes.
    target_chunks
        What can only be written as a whole. In both, -1 stands for the whole axis, and a width
        beyond the end of the array is cut off there.
    itemsize
        Bytes per element.
    max_mem
        Bytes that one task may hold, all it has in flight included: a number, or a string such
        as "500MB".
    cost
        Prices of requests, bytes and tasks; `rechunker.planning.costs.LOCAL` by default.
    temp
        Whether temporary objects may be written.
    max_hops
        How many times the array may be copied to temporary objects on its way.
    footprint
        Bytes that a task holds beside its box. By default those of units that do not compress,
        one in flight at a time; a source unit has its full size also where it reaches over the
        end of the array, as in a Zarr chunk.

    Returns
    -------
    RechunkPlan
        The plan; print it.

    Raises
    ------
    MemoryLimitError
        If nothing fits in `max_mem`; the error tells how much would do.
    ValueError
        If shape, chunks or itemsize make no sense.

    Examples
    --------
    >>> plan = plan_rechunk((8760, 721, 1440), (24, 721, 1440), (8760, 10, 10), 4, "500MB")
    >>> print(plan)
    (8760, 721, 1440), 36.38 GB, from chunks (24, 721, 1440) -> (8760, 10, 10)
    stage                     boxes  tasks   gets    puts      read   written     memory
    source -> temp  (72, 721, 1440)    122    365     122  36.38 GB  36.38 GB  498.36 MB
    temp -> target  (8760, 150, 90)     80  9,760  10,512  36.38 GB  36.38 GB  476.93 MB
    memory of a task: 498.36 MB of 500 MB; read amplification: 1.00; estimate: 2.5 minutes
    >>> plan.stages[1].grid, plan.stages[1].tasks
    ((8760, 150, 90), 80)
    """
    problem = pose(
        shape,
        source_chunks,
        target_chunks,
        itemsize,
        cost=cost or LOCAL,
        max_hops=max_hops if temp else 0,
        footprint=footprint,
    )
    limit = parse_bytes(max_mem)
    if not problem.nbytes:
        return _plan(problem, limit, (_nothing(problem),), cost=0.0)
    found = search(problem, limit)
    if found is None:
        raise _too_little(problem, limit)
    stages = tuple(map(_stage, found.grids, found.figures, found.layouts))
    return _plan(problem, limit, stages, cost=found.cost)


def _plan(
    problem: Problem, max_mem: int, stages: tuple[StagePlan, ...], cost: float
) -> RechunkPlan:
    return RechunkPlan(
        shape=problem.shape,
        source_chunks=problem.source,
        target_chunks=problem.target,
        itemsize=problem.itemsize,
        max_mem=max_mem,
        stages=stages,
        cost=cost,
        footprint=problem.footprint,
    )


def _stage(grid: Grid, figures: StageFigures, layout: Layout) -> StagePlan:
    return StagePlan(
        grid=grid,
        tasks=int(figures.tasks[0]),
        gets=int(figures.gets[0]),
        puts=int(figures.puts[0]),
        bytes_read=int(figures.bytes_read[0]),
        bytes_written=int(figures.bytes_written[0]),
        memory=int(figures.memory[0]),
        layout=layout,
    )


def _nothing(problem: Problem) -> StagePlan:
    """Return the stage of an array without elements."""
    return StagePlan(problem.target, 0, 0, 0, 0, 0, 0, Layout.PACKED)


def _too_little(problem: Problem, max_mem: int) -> MemoryLimitError:
    needed = least_memory(problem)
    ways = [f"raise max_mem to {format_bytes(needed)} ({needed} bytes)"]
    with_temp = least_memory(replace(problem, max_hops=1))
    if with_temp < needed:
        ways.append(f"provide a temporary store, with which {with_temp} bytes are enough")
    if needed > problem.footprint.read:  # else it is what a source unit alone takes
        ways.append("choose smaller target chunks")
    return MemoryLimitError(
        f"max_mem={format_bytes(max_mem)} ({max_mem} bytes) is too little to rechunk an array of "
        f"shape {problem.shape} and {problem.itemsize} bytes per element from chunks "
        f"{format_grid(problem.source)} to {format_grid(problem.target)}: {', or '.join(ways)}",
        needed,
    )
