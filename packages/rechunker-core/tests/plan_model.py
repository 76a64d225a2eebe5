"""A model of an executor: runs a plan in memory, element by element, and counts all it does.

It shares no geometry with the planner: blocks are listed one by one, offsets are added up.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from rechunker.planning import Grid, Layout, RechunkPlan, StagePlan
from rechunker.planning.grids import Axis

Array = npt.NDArray[Any]
Index = tuple[int, ...]
Span = tuple[int, int]
Region = tuple[Span, ...]


@dataclass
class Meter:
    """Live bytes of one task."""

    live: int = 0
    peak: int = 0

    @contextmanager
    def hold(self, nbytes: float) -> Iterator[None]:
        self.live += int(np.ceil(nbytes))
        self.peak = max(self.peak, self.live)
        yield
        self.live -= int(np.ceil(nbytes))


@dataclass
class Done:
    """What all tasks of one stage did."""

    tasks: int = 0
    gets: int = 0
    puts: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    peak: int = 0
    copies: Array = field(default_factory=lambda: np.zeros(0))
    unit_reads: Counter[Index] = field(default_factory=Counter)

    def counts(self) -> tuple[int, ...]:
        return self.tasks, self.gets, self.puts, self.bytes_read, self.bytes_written


def predicted(stage: StagePlan) -> tuple[int, ...]:
    return stage.tasks, stage.gets, stage.puts, stage.bytes_read, stage.bytes_written


def spans(n: int, axis: Axis) -> list[Span]:
    """All blocks along an axis, one after the other."""
    sizes = [axis] * len(range(0, n, axis)) if isinstance(axis, int) else axis
    stops = itertools.accumulate(sizes)
    return [(stop - size, min(stop, n)) for size, stop in zip(sizes, stops, strict=True)]


def blocks(shape: Sequence[int], grid: Grid) -> dict[Index, Region]:
    """All blocks of a grid, in C order."""
    axes = [list(enumerate(spans(n, axis))) for n, axis in zip(shape, grid, strict=True)]
    return {
        tuple(i for i, _ in chosen): tuple(span for _, span in chosen)
        for chosen in itertools.product(*axes)
    }


def overlap(a: Region, b: Region) -> Region | None:
    both = tuple(
        (max(lo, start), min(hi, stop)) for (lo, hi), (start, stop) in zip(a, b, strict=True)
    )
    return both if all(lo < hi for lo, hi in both) else None


def meeting(shape: Sequence[int], grid: Grid, region: Region) -> list[tuple[Index, Region]]:
    """Blocks that meet a region, with their part in it, in C order."""
    axes = []
    for n, axis, (lo, hi) in zip(shape, grid, region, strict=True):
        met = [(i, (max(a, lo), min(b, hi))) for i, (a, b) in enumerate(spans(n, axis))]
        axes.append([(i, (a, b)) for i, (a, b) in met if a < b])
    return [
        (tuple(i for i, _ in chosen), tuple(span for _, span in chosen))
        for chosen in itertools.product(*axes)
    ]


def size(region: Region) -> int:
    return prod(hi - lo for lo, hi in region)


def within(region: Region, outer: Region) -> tuple[slice, ...]:
    return tuple(slice(lo - x, hi - x) for (lo, hi), (x, _) in zip(region, outer, strict=True))


class Model:
    """Runs plans of one array whose elements are all different, and none of them zero."""

    def __init__(self, plan: RechunkPlan) -> None:
        self.plan, self.shape, self.held = plan, plan.shape, plan.footprint
        self.array = np.arange(1, prod(plan.shape) + 1).reshape(plan.shape)
        self.target: dict[Index, Array] = {}
        self.equal_units = plan.source_chunks == plan.target_chunks

    def run(self) -> list[Done]:
        done, objects = [], self._source()
        for number in range(len(self.plan.stages)):
            written: dict[Index, Array] = {}
            done.append(self._stage(number, objects, written))
            objects = written
        self.target = objects
        return done

    def result(self) -> Array:
        """Put the target together from its units."""
        whole = np.zeros(self.shape, dtype=np.int64)
        for index, region in blocks(self.shape, self.plan.target_chunks).items():
            whole[within(region, tuple((0, n) for n in self.shape))] = self.target[index]
        return whole

    def _source(self) -> dict[Index, Array]:
        everything = tuple((0, n) for n in self.shape)
        grid = blocks(self.shape, self.plan.source_chunks)
        return {index: self.array[within(region, everything)] for index, region in grid.items()}

    def _stage(self, number: int, objects: dict[Index, Array], written: dict[Index, Array]) -> Done:
        done = Done(copies=np.zeros(self.shape, dtype=np.int64))
        for index, box in blocks(self.shape, self.plan.stages[number].grid).items():
            meter = Meter()
            task = Task(self, number, index, box, meter, done)
            for key, data in task.run(objects):
                assert key not in written, "an object has two writers"
                written[key] = data
            assert meter.live == 0
            done.tasks += 1
            done.peak = max(done.peak, meter.peak)
        return done


@dataclass
class Task:
    """One task: reads what meets its box, then writes what lies in it."""

    model: Model
    number: int
    index: Index
    box: Region
    meter: Meter
    done: Done

    def __post_init__(self) -> None:
        plan = self.model.plan
        self.shape, self.item, self.held = plan.shape, plan.itemsize, plan.footprint
        self.layout = plan.stages[self.number].layout
        self.last = self.number == plan.hops
        self.before = plan.stages[self.number - 1].grid if self.number else plan.source_chunks
        self.after = plan.target_chunks if self.last else plan.stages[self.number + 1].grid
        self.buffer = np.zeros([hi - lo for lo, hi in self.box], dtype=np.int64)

    def run(self, objects: dict[Index, Array]) -> list[tuple[Index, Array]]:
        units = meeting(self.shape, self.before, self.box)
        if self.layout is Layout.VIEW:
            assert len(units) == 1
            return self._run_view(objects, *units[0])
        with self.meter.hold(self._buffer_bytes()):
            for batch in self._in_flight(units):
                with self.meter.hold(sum(self._fetch_bytes(part) for _, part in batch)):
                    for unit, part in batch:
                        self._read(objects, unit, part)
            return self._write(pads=self.layout is Layout.PACKED)

    def _run_view(
        self, objects: dict[Index, Array], unit: Index, part: Region
    ) -> list[tuple[Index, Array]]:
        with self.meter.hold(self._fetch_bytes(part)):
            self._read(objects, unit, part)
        decoded = size(part) * self.item if self.number else self.held.unit
        assert decoded is not None
        with self.meter.hold(decoded), self.meter.hold(0 if self.last else self._box_bytes()):
            return self._write(pads=not (self.number == 0 and self.model.equal_units))

    def _in_flight(self, items: list[Any]) -> Iterator[list[Any]]:
        for start in range(0, len(items), self.held.concurrency):
            yield items[start : start + self.held.concurrency]

    def _box_bytes(self) -> int:
        return size(self.box) * self.item

    def _buffer_bytes(self) -> int:
        if self.layout is Layout.PACKED:
            return self._box_bytes()
        units = zip(self.box, self.model.plan.target_chunks, strict=True)
        return prod(-(-(hi - lo) // width) * width for (lo, hi), width in units) * self.item

    def _fetch_bytes(self, part: Region) -> int:
        return size(part) * self.item if self.number else self.held.read

    def _read(self, objects: dict[Index, Array], unit: Index, part: Region) -> None:
        self.done.gets += 1
        self.done.unit_reads[unit] += 1
        whole = blocks_of(self.shape, self.before, unit)
        if self.number == 0:
            data = objects[unit][within(part, whole)]
            self.done.bytes_read += size(whole) * self.item
        else:
            data = self._cell(objects[unit], whole)
            self.done.bytes_read += data.size * self.item
        self.buffer[within(part, self.box)] = data
        self.done.copies[within(part, tuple((0, n) for n in self.shape))] += 1

    def _cell(self, packed: Array, outer: Region) -> Array:
        """Find the range of a temporary object that is for this task."""
        offset = 0
        for _, cell in meeting(self.shape, self._grid(), outer):
            if overlap(cell, self.box) == cell:
                shape = [hi - lo for lo, hi in cell]
                return packed[offset : offset + size(cell)].reshape(shape)
            offset += size(cell)
        raise AssertionError("no cell for this task")

    def _grid(self) -> Grid:
        return self.model.plan.stages[self.number].grid

    def _write(self, *, pads: bool) -> list[tuple[Index, Array]]:
        parts = meeting(self.shape, self.after, self.box)
        self.done.bytes_written += self._box_bytes()
        if not self.last:
            self.done.puts += 1
            with self.meter.hold(self.held.spill * self._box_bytes()):
                cells = [self.buffer[within(cell, self.box)].ravel() for _, cell in parts]
                return [(self.index, np.concatenate(cells))]
        self.done.puts += len(parts)
        for batch in self._in_flight(parts):
            with self.meter.hold(sum(self._store_bytes(part, pads) for _, part in batch)):
                pass
        return [(unit, self._whole_unit(unit, part)) for unit, part in parts]

    def _store_bytes(self, part: Region, pads: bool) -> int:
        widths = self.model.plan.target_chunks
        cut = any(hi - lo < width for (lo, hi), width in zip(part, widths, strict=True))
        copied = pads and (cut or self.layout is Layout.VIEW)
        return self.held.write + (self.held.pad if copied else 0)

    def _whole_unit(self, unit: Index, part: Region) -> Array:
        assert part == blocks_of(self.shape, self.after, unit), "a target unit is split"
        return self.buffer[within(part, self.box)].copy()


def blocks_of(shape: Sequence[int], grid: Grid, index: Index) -> Region:
    return tuple(spans(n, axis)[i] for n, axis, i in zip(shape, grid, index, strict=True))
