"""Predictions: requests, bytes, memory and time of many candidate plans at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from math import prod
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rechunker.planning.candidates import AxisTable, Chain
from rechunker.planning.footprints import Numbers, StageSizes, smallest_layout
from rechunker.planning.parts import largest_object, number_of_parts
from rechunker.planning.problem import Problem

__all__ = ["Combinations", "StagePrediction", "boxes_fit", "predict", "seconds"]

# S3 accepts at most 5 GB in one request, and each temporary object is written in one request.
_MAX_OBJECT_BYTES = 5 * 10**9


class StagePrediction(NamedTuple):
    """The figures of `StagePlan` for one stage, as arrays with one entry per candidate plan."""

    tasks: Numbers
    gets: Numbers
    puts: Numbers
    bytes_read: Numbers
    bytes_written: Numbers
    memory: Numbers
    parts: Numbers
    layout: npt.NDArray[np.intp]  # indices into LAYOUTS
    requests: Numbers  # for all reads but those of indices, if neighbours are read at once
    indices: Numbers  # of shards, read before what is in them


class Combinations:
    """Candidate plans: combinations of one candidate per axis, all of them or a selection.

    Parameters
    ----------
    tables
        The candidates, one table per axis.
    hops
        Number of copies through temporary objects, the same for all combinations.
    dtype
        dtype of the numbers in the tables.
    rows
        Numbers, in C order, of the selected combinations; all combinations by default.
    """

    def __init__(
        self,
        tables: Sequence[AxisTable],
        hops: int,
        dtype: npt.DTypeLike = np.float64,
        rows: npt.NDArray[np.intp] | None = None,
    ) -> None:
        self.tables, self.hops, self._dtype = tables, hops, dtype
        sizes = tuple(len(table.chains) for table in tables)
        self._size = prod(sizes) if rows is None else rows.size
        self._indices = None if rows is None else np.unravel_index(rows, sizes) if sizes else ()

    def __len__(self) -> int:
        return self._size

    def product(self, name: str, *stage: int) -> Numbers:
        """Return the product over the axes of column `name` of the tables, per combination."""
        rows = [getattr(table, name)[stage] for table in self.tables]
        if self._indices is None:
            one = np.ones((), dtype=self._dtype)
            return reduce(np.multiply.outer, rows, one).reshape(-1)
        chosen = (row[index] for row, index in zip(rows, self._indices, strict=True))
        return reduce(np.multiply, chosen, np.ones(self._size, dtype=self._dtype))

    def take(self, rows: npt.NDArray[np.intp]) -> Combinations:
        """Return the combinations with these numbers, counted in C order over all."""
        return Combinations(self.tables, self.hops, self._dtype, rows)

    def chains(self, row: int) -> list[Chain]:
        """Return one chain per axis: those of entry `row` of a selection made by `take`."""
        axes = zip(self.tables, self._indices or (), strict=True)
        return [table.chains[index[row]] for table, index in axes]


def boxes_fit(
    problem: Problem, combinations: Combinations, max_mem: float
) -> npt.NDArray[np.bool_]:
    """Return which combinations have boxes that fit in memory and into temporary objects."""
    fits = np.ones(len(combinations), dtype=np.bool_)
    for stage in range(combinations.hops + 1):
        box = problem.itemsize * combinations.product("box", stage)
        fits &= box <= max_mem
        if stage < combinations.hops and (box > _MAX_OBJECT_BYTES).any():
            pieces = combinations.product("pieces", stage)
            cell = problem.itemsize * combinations.product("cell", stage + 1)
            parts = number_of_parts(box, pieces, problem.footprint.parts)
            fits &= largest_object(box, pieces, cell, parts) <= _MAX_OBJECT_BYTES
    return fits


def predict(problem: Problem, combinations: Combinations) -> Iterator[StagePrediction]:
    """Yield the prediction for each stage, from the first to the last."""
    for stage in range(combinations.hops + 1):
        yield _predict_stage(problem, combinations, stage)


def _predict_stage(problem: Problem, combinations: Combinations, stage: int) -> StagePrediction:
    last = stage == combinations.hops
    tasks = combinations.product("tasks", stage)
    reads = combinations.product("reads", stage)
    all_once = problem.nbytes + 0 * tasks  # every element once
    box = problem.itemsize * combinations.product("box", stage)
    pieces = combinations.product("pieces", stage)
    parts = number_of_parts(box, pieces, 1 if last else problem.footprint.parts)
    memory, layout = smallest_layout(
        StageSizes(
            box=box,
            padded_box=problem.itemsize * combinations.product("padded"),
            cell=problem.itemsize * combinations.product("cell", stage),
            next_cell=0 if last else problem.itemsize * combinations.product("cell", stage + 1),
            pieces=pieces,
            met=combinations.product("met", stage),
            units=combinations.product("padded") // prod(problem.target),
            single_read=(reads == tasks).astype(np.bool_),
            first=stage == 0,
            last=last,
            partial_edges=problem.partial_edges,
            same_units=problem.same_units,
        ),
        problem.footprint,
    )
    gets, requests, indices = _reads(problem, combinations, stage, reads)
    return StagePrediction(
        tasks=tasks,
        gets=gets,
        puts=problem.target_units + 0 * tasks if last else parts * tasks,
        bytes_read=all_once if stage else problem.itemsize * combinations.product("fetched"),
        bytes_written=all_once,
        memory=memory,
        parts=parts,
        layout=layout,
        requests=requests,
        indices=indices,
    )


def _reads(
    problem: Problem, combinations: Combinations, stage: int, reads: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """Return numbers of reads one by one, of requests for all but indices, and of indices."""
    if stage or problem.shards is None:
        gets = reads * (problem.cost.requests_per_cell() if stage else 1)
        return gets, gets, 0 * gets
    shards = combinations.product("objects")
    return reads + shards, np.minimum(reads, problem.shards.requests * shards), shards


def seconds(problem: Problem, stages: Sequence[StagePrediction]) -> Numbers:
    """Return the modelled time of whole plans in seconds."""
    last = len(stages) - 1
    times = (_seconds(problem, stage, i == 0, i == last) for i, stage in enumerate(stages))
    return reduce(np.add, times)


def _seconds(problem: Problem, stage: StagePrediction, first: bool, last: bool) -> Numbers:
    cost = problem.cost
    index = 0 if problem.shards is None else problem.shards.index_bytes
    read_ratio = cost.stored if first else cost.temp
    write_ratio = cost.stored if last else cost.temp
    return cost.seconds(
        stage.tasks,
        (stage.indices, index * stage.indices),
        (stage.requests, read_ratio * stage.bytes_read),
        (stage.puts, write_ratio * stage.bytes_written),
    )
