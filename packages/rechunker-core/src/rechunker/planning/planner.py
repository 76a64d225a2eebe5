"""`plan_rechunk()`: find the cheapest plan for given shapes, chunks and a memory limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf

from rechunker.planning.costs import LOCAL, CostModel
from rechunker.planning.footprints import Footprint, Layout
from rechunker.planning.grids import Grid, format_grid, regular_grid
from rechunker.planning.parts import count_objects
from rechunker.planning.plan import MemoryLimitError, RechunkPlan, StagePlan
from rechunker.planning.predictions import StagePrediction
from rechunker.planning.problem import Problem, Shards, make_problem
from rechunker.planning.search import minimum_memory, search
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
    max_amplification: float = inf,
    footprint: Footprint | None = None,
    shards: Shards | None = None,
) -> RechunkPlan:
    """Find the cheapest plan that rechunks an array within a memory limit.

    This is arithmetic on shapes: nothing is read or written.

    Parameters
    ----------
    shape
        Shape of the array in elements.
    source_chunks
        Chunk shape of the source, or its shard shape if shards are read whole: one size per axis in
        elements, or for an axis with irregular chunks the sizes of all chunks along it. If any
        axis is irregular, no chunk is read by more than one task.
    target_chunks
        Chunk shape of the target, or its shard shape if it has shards: one size per axis in
        elements. Here and in `source_chunks`, -1 means the whole axis, and sizes are clipped to
        the length of the axis.
    itemsize
        Bytes per element.
    max_mem
        Memory limit per task in bytes, including chunks being read, decoded, encoded or written:
        an integer or a string such as ``"500MB"`` or ``"1GiB"``.
    cost
        Cost of requests, bytes and tasks in seconds; `rechunker.planning.LOCAL` by default.
    temp
        Whether the plan may use temporary objects.
    max_hops
        Largest number of copies through temporary objects.
    max_amplification
        Largest read amplification, 1.0 or more: how many times over the source may be read.
    footprint
        Memory that one task needs besides its box. By default that of chunks that do not compress,
        with one read or write in flight at a time; a source chunk takes its full size even if it
        reaches beyond the end of the array.
    shards
        Shards that the source chunks lie in, if these are read one by one as byte ranges of the
        shards. By default each source chunk is an object of its own.

    Returns
    -------
    RechunkPlan
        The stages, with exact numbers of tasks, requests and bytes; ``print(plan)`` shows them.

    Raises
    ------
    MemoryLimitError
        If no plan fits in `max_mem`; its message and its attribute `needed` say how much would be
        enough.
    ValueError
        If a length in `shape` or `max_hops` is negative, `itemsize` is less than 1, chunks do not
        match the shape, or `max_mem` is not a size.
    TypeError
        If a size is not an integer, or `max_mem` is neither an integer nor a string.

    Notes
    -----
    Like the first Rechunker [1]_, a plan gathers whole source chunks into boxes as large as the
    memory limit allows. If the same boxes cannot hold whole target chunks, it writes them to
    temporary objects and reads them back from there in boxes of whole target chunks. This planner
    chooses the box shapes and the number of such hops by their modelled cost.

    Rechunking out of core is a permutation of elements in two-level storage. The bounds on the
    number of transfers that this takes go back to Floyd [2]_ and to Aggarwal and Vitter [3]_.

    References
    ----------
    .. [1] "Algorithm", documentation of Rechunker,
       https://rechunker.readthedocs.io/en/latest/algorithm.html
    .. [2] R. W. Floyd, "Permuting information in idealized two-level storage", 1972.
    .. [3] A. Aggarwal and J. S. Vitter, "The input/output complexity of sorting and related
       problems", Communications of the ACM 31(9), 1988, https://doi.org/10.1145/48529.48535

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
    problem = make_problem(
        shape,
        source_chunks,
        target_chunks,
        itemsize,
        cost=cost or LOCAL,
        max_hops=max_hops if temp else 0,
        max_amplification=max_amplification,
        footprint=footprint,
        shards=shards,
    )
    limit = parse_bytes(max_mem)
    if not problem.nbytes:
        return _plan(problem, limit, (_empty_stage(problem),), cost=0.0)
    solution = search(problem, limit)
    if solution is None:
        raise _memory_error(problem, limit)
    stages = tuple(map(_stage_plan, solution.grids, solution.stages, solution.layouts))
    stages = (*(_in_parts(problem.shape, *pair) for pair in pairwise(stages)), stages[-1])
    return _plan(problem, limit, stages, cost=solution.cost)


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
        shards=problem.shards,
    )


def _stage_plan(grid: Grid, stage: StagePrediction, layout: Layout) -> StagePlan:
    return StagePlan(
        grid=grid,
        tasks=int(stage.tasks[0]),
        gets=int(stage.gets[0]),
        puts=int(stage.puts[0]),
        bytes_read=int(stage.bytes_read[0]),
        bytes_written=int(stage.bytes_written[0]),
        memory=int(stage.memory[0]),
        layout=layout,
        parts=int(stage.parts[0]),
    )


def _in_parts(shape: Sequence[int], stage: StagePlan, following: StagePlan) -> StagePlan:
    """Return a stage with the exact number of objects that its tasks write: some have few cells."""
    if stage.parts == 1:
        return stage
    grid = regular_grid(following.grid)
    assert grid is not None  # only the first stage follows the blocks of an irregular source
    puts = count_objects(shape, stage.grid, grid, stage.parts)
    return replace(stage, puts=stage.tasks, parts=1) if puts is None else replace(stage, puts=puts)


def _empty_stage(problem: Problem) -> StagePlan:
    """Return the stage of an array without elements."""
    return StagePlan(problem.target, 0, 0, 0, 0, 0, 0, Layout.PACKED)


def _memory_error(problem: Problem, max_mem: int) -> MemoryLimitError:
    needed = minimum_memory(problem)
    remedies = [f"raise max_mem to {format_bytes(needed)} ({needed} bytes)"]
    with_temp = minimum_memory(replace(problem, max_hops=1, max_amplification=inf))
    if with_temp < needed:
        remedies.append(f"provide a temporary store, which reduces this to {with_temp} bytes")
    if needed > problem.footprint.read:  # otherwise reading one source chunk alone needs this much
        remedies.append("choose smaller target chunks")
    return MemoryLimitError(
        f"max_mem={format_bytes(max_mem)} ({max_mem} bytes) is too small to rechunk an array of "
        f"shape {problem.shape} with {problem.itemsize} bytes per element from chunks "
        f"{format_grid(problem.source)} to {format_grid(problem.target)}: {', or '.join(remedies)}",
        needed,
    )
