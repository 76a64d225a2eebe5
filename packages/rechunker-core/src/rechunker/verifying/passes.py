"""Passes: arrays are read once, within a memory limit, and added up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any
from uuid import uuid4

from zarr.storage import MemoryStore, StorePath

from rechunker.copying import changed_settings, digest_of_sum, sum_stage
from rechunker.planning import Grid, MemoryLimitError, axis_widest, counts, regular_grid
from rechunker.plugins import get_executor
from rechunker.sizes import format_bytes, parse_bytes
from rechunker.sources import SourceArray
from rechunker.stores import DIGEST_FOLDER, NO_EPOCH, Claim, StageJournal, access, resolve_store
from rechunker.types import CopySpec, Executor
from rechunker.verifying.sides import check_reachable

__all__ = ["digests_of"]

# Decoded bytes of a task, if its units are smaller.
_TASK_BYTES = 1 << 26


@dataclass(frozen=True)
class _Pass:
    """One array that is read, and where the sums go."""

    name: str
    source: SourceArray
    journal: StageJournal

    @property
    def grid(self) -> Grid:
        """Boxes of tasks: units, put together along the last axes, as long as they are small."""
        units, shape = regular_grid(self.source.grid), self.source.shape
        if units is None:
            return self.source.grid
        widths = [max(1, min(width, n)) for width, n in zip(units, shape, strict=True)]
        for axis in reversed(range(len(shape))):
            nbytes = prod(widths) * self.source.itemsize
            number = max(1, min(_TASK_BYTES // max(1, nbytes), -(-shape[axis] // widths[axis])))
            widths[axis] = units[axis] * number
        return tuple(widths)

    @property
    def tasks(self) -> int:
        return prod(counts(self.source.shape, self.grid))

    def spec(self, max_mem: int, threads: int) -> CopySpec:
        source = self.source
        unit = prod(axis_widest(n, axis) for n, axis in zip(source.shape, source.grid, strict=True))
        each = max(1, source.read_bytes, unit * source.itemsize if source.read_bytes else 0)
        if each > max_mem:
            raise MemoryLimitError(
                f"array {self.name!r}: max_mem={format_bytes(max_mem)} is too small to read a unit "
                f"of it: raise max_mem to {format_bytes(each)} ({each} bytes)",
                each,
            )
        stage = sum_stage(
            f"{self.name or 'array'}: digest",
            self.grid,
            source.reader,
            source.shape,
            memory=(each, max_mem),
            threads=threads,
            nbytes=prod(source.shape) * source.itemsize,
            settings=changed_settings(),
            journal=self.journal,
        )
        return CopySpec(self.name, (stage,))

    def digest(self) -> str:
        """Return the digest, from the sums that the tasks have written down."""
        records = self.journal.records(NO_EPOCH)
        count, total = records.total(self.tasks) if records is not None else (0, 0)
        if count != self.tasks:
            raise RuntimeError(
                f"array {self.name!r}: {self.tasks - count} of {self.tasks} tasks left no sums in "
                f"{self.journal.place}; the executor did not run them, or they cannot write there"
            )
        return digest_of_sum(self.source.reader.dtype, self.source.shape, total)


def digests_of(
    sides: Sequence[Mapping[str, SourceArray]],
    *,
    max_mem: int | str,
    executor: str | Executor[Any],
    progress: Any,
    temp_store: Any,
    storage_options: Mapping[str, Any] | None,
    options: Mapping[str, Any],
) -> list[dict[str, str]]:
    """Return the digests of the arrays of some sides, by their names.

    Parameters
    ----------
    sides
        Arrays to read.
    max_mem, executor, progress, temp_store
        As for `rechunker.digest`.
    storage_options
        Options of the temp store; None if it is no URL.
    options
        Further arguments for the executor.
    """
    engine = get_executor(executor)
    for side in sides:
        check_reachable(side, engine)
    if temp_store is None and not engine.shares_memory:
        raise ValueError(
            f"the tasks of {type(engine).__name__} run in other processes: give temp_store, a "
            "place that they can write to, where they leave their sums"
        )
    limit, shown = parse_bytes(max_mem), {} if progress is None else {"progress": progress}
    store = MemoryStore() if temp_store is None else temp_store
    execution = uuid4().hex
    there = resolve_store(store, storage_options=storage_options)
    place = there / f"{DIGEST_FOLDER}{execution}"
    passes = [list(_passes(side, place / str(n), limit)) for n, side in enumerate(sides)]
    specs = [p.spec(limit, engine.threads) for some in passes for p in some]
    try:
        Claim(place.store, place.path, execution).set(None)
        engine.execute_plan(engine.prepare_plan(specs), **options, **shown)
        return [{p.name: p.digest() for p in some} for some in passes]
    finally:
        access.delete_dir(place.store, place.path)


def _passes(side: Mapping[str, SourceArray], place: StorePath, max_mem: int) -> Iterator[_Pass]:
    for number, (name, source) in enumerate(side.items()):
        yield _Pass(name, _fitting(source, max_mem), StageJournal(None, place, str(number)))


def _fitting(source: SourceArray, max_mem: int) -> SourceArray:
    """Return a source whose shards are read in parts if a whole shard does not fit in memory."""
    if source.shards is None or source.read_bytes <= max_mem:
        return source
    return source.in_parts(source.shards.within(max_mem, 1))
