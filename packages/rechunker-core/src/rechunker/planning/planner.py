"""`plan_rechunk()`: from shapes, chunks and a memory limit to a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rechunker.planning.costs import LOCAL, CostModel
from rechunker.planning.footprints import Footprint, Layout
from rechunker.planning.grids import Grid, format_grid
from rechunker.planning.plan import MemoryLimitError, RechunkPlan, StagePlan
from rechunker.planning.predictions import StageFigures
from rechunker.planning.problem import Problem, pose
from rechunker.planning.search import least_memory, search
from rechunker.sizes import format_bytes, parse_bytes

__all__ = ["plan_rechunk"]


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
        Prices of requests, bytes and tasks; `rechunker.planning.LOCAL` by default.
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
