"""From one array and what is wanted of it to its plan and its copy spec."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from zarr.storage import FsspecStore, ObjectStore, StorePath

from rechunker import storage
from rechunker.cell_codecs import CellCodec
from rechunker.copying import CopyWork
from rechunker.costs import LOCAL, OBJECT_STORE, CostModel
from rechunker.layouts import Footprint, Layout
from rechunker.locations import unwrap
from rechunker.memory import format_bytes
from rechunker.plan import MemoryLimitError, RechunkPlan, plan_rechunk
from rechunker.reading import Reader, ZarrReader
from rechunker.sources.base import SourceArray
from rechunker.settings import changed_settings
from rechunker.stored import StoredArray
from rechunker.temp import TempObjects, TempReader, TempWriter, spill
from rechunker.transfer import TransferWork, encoded_alike
from rechunker.types import CopySpec, Executor, Stage
from rechunker.writing import Writer, ZarrWriter

__all__ = ["ArrayJob", "TempPlace", "plan_job"]

# Codecs move about as many decoded bytes in a second as a store moves of these parts of them,
# however few the stored bytes are.
FASTEST_CODEC = 0.3
# A request to an object store is mostly waiting, which needs no core.
REMOTE_REQUESTS = 16
# Slabs of a cell that stay in the processor's cache while they are scattered.
SLAB_BYTES = 1 << 22
# Encoded cells have an index, whether they are smaller or not.
ENCODED_TEMP = 0.99
# Without a temporary store, reading everything twice is still cheaper than finding one.
MAX_AMPLIFICATION = 2.0


@dataclass(frozen=True)
class TempPlace:
    """Where temporary objects go, and how the cells in them are encoded.

    Parameters
    ----------
    path
        A place in a store.
    codec
        None for elements that are stored as they are in memory.
    """

    path: StorePath
    codec: CellCodec | None


@dataclass(frozen=True)
class ArrayJob:
    """One array that is rechunked.

    Parameters
    ----------
    name
        Path of the array within the source, "" for a source that is an array.
    source
        What is read.
    target
        What is written.
    document
        All metadata of the target, which are written when everything else is.
    write_empty
        Whether chunks that hold nothing but the fill value are stored.
    plan
        What will be done.
    temp
        Where temporary objects go; None if the plan needs none.
    """

    name: str
    source: SourceArray
    target: StoredArray
    document: dict[str, Any]
    write_empty: bool
    plan: RechunkPlan
    temp: TempPlace | None

    @property
    def fingerprint(self) -> str:
        """Name of everything that this very plan stores for a while."""
        reader = self.source.reader
        origin = reader.array.metadata if isinstance(reader, ZarrReader) else repr(reader)
        facts = [self.name, origin, self.target.metadata, self.target.path]
        facts += [repr(stage) for stage in self.plan.stages]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    @property
    def spec(self) -> CopySpec:
        """The stages of the plan."""
        return CopySpec(self.name, tuple(self._stages()))

    def _stages(self) -> Iterator[Stage]:
        last = self.plan.hops
        for j, stage in enumerate(self.plan.stages):
            name = f"{self.name or 'array'}: {_verb(j, last)}"
            nbytes = stage.bytes_read + stage.bytes_written
            yield Stage(name, stage.tasks, self._work(j), stage.memory, nbytes)

    def _work(self, j: int) -> CopyWork | TransferWork:
        plan, stage = self.plan, self.plan.stages[j]
        threads = plan.footprint.concurrency
        if self._transfers:
            assert isinstance(self.source.reader, ZarrReader)
            return TransferWork(stage.grid, self.source.reader.array, self.target, threads)
        reader: Reader = self.source.reader
        if j:
            slab = None if stage.layout is Layout.VIEW else SLAB_BYTES
            reader = TempReader(self._objects(j - 1), slab)
        writer: Writer
        if j < plan.hops:
            writer = TempWriter(self._objects(j))
        else:
            writer = ZarrWriter(self.target, self.write_empty)
        return CopyWork(
            plan.shape, stage.grid, reader, writer, stage.layout, threads, changed_settings()
        )

    @property
    def _transfers(self) -> bool:
        """Whether stored objects can be copied as they are."""
        reader = self.source.reader
        direct = not self.plan.hops and not self.write_empty
        return (
            direct and isinstance(reader, ZarrReader) and encoded_alike(reader.array, self.target)
        )

    def _objects(self, stage: int) -> TempObjects:
        assert self.temp is not None
        folder = f"{temp_folder(self.temp.path, self.fingerprint)}/{stage}"
        grid = self.plan.stages[stage + 1].grid
        return TempObjects(
            self.temp.path.store,
            folder,
            self.plan.shape,
            self.plan.stages[stage].grid,
            tuple(width for width in grid if isinstance(width, int)),
            self.source.reader.dtype,
            self.temp.codec,
            self.source.itemsize,
        )


def temp_folder(path: StorePath, fingerprint: str) -> str:
    """Return the key under which everything temporary of one array lies."""
    return "/".join(part for part in (path.path, f"rechunker-{fingerprint}") if part)


def _verb(stage: int, last: int) -> str:
    if last == 0:
        return "copy"
    return "read" if stage == 0 else "write" if stage == last else f"regroup {stage}"


def plan_job(
    name: str,
    source: SourceArray,
    target: StoredArray,
    document: dict[str, Any],
    *,
    write_empty: bool,
    temp: TempPlace | None,
    max_mem: int,
    executor: Executor[Any],
) -> ArrayJob:
    """Plan one array; parameters are those of `ArrayJob`.

    Raises
    ------
    MemoryLimitError
        If nothing fits in `max_mem`.
    ValueError
        If a temporary store is needed, and there is none.
    """
    stores = [target.store, *([temp.path.store] if temp else [])]
    if isinstance(source.reader, ZarrReader):
        stores.append(source.reader.array.store)
    ratio = min(1.0, max(source.stored_ratio, FASTEST_CODEC))
    prices = _cost(stores)
    threads = executor.threads if prices is LOCAL else max(executor.threads, REMOTE_REQUESTS)
    search = _Search(
        source,
        target,
        _footprint(source, target, temp),
        replace(
            prices,
            workers=executor.workers,
            stored=ratio,
            temp=1.0 if temp is None or temp.codec is None else min(ratio, ENCODED_TEMP),
        ),
        threads,
        temp is not None,
    )
    plan = search.best(max_mem)
    if temp is None and plan.read_amplification > MAX_AMPLIFICATION:
        raise ValueError(_temp_needed(name, plan, search))
    return ArrayJob(name, source, target, document, write_empty, plan, temp if plan.hops else None)


def _cost(stores: list[Any]) -> CostModel:
    """Price requests as on the slowest of the stores."""
    remote = any(isinstance(unwrap(store), FsspecStore | ObjectStore) for store in stores)
    return OBJECT_STORE if remote else LOCAL


def _footprint(source: SourceArray, target: StoredArray, temp: TempPlace | None) -> Footprint:
    chunk = prod(target.unit) * target.itemsize
    copied = storage.copies(target.store) * chunk
    reader = source.reader
    if isinstance(reader, ZarrReader) and getattr(reader.array.codec, "order", "C") == "F":
        copied += chunk  # turned to be encoded
    return Footprint(
        read=source.read_bytes,
        unit=source.unit_bytes,
        write=target.codec.write_bytes + copied,
        pad=chunk,
        spill=spill(temp.path.store, temp.codec) if temp else 0.0,
    )


@dataclass(frozen=True)
class _Search:
    """Everything that a plan depends on but the memory."""

    source: SourceArray
    target: StoredArray
    footprint: Footprint
    cost: CostModel
    threads: int
    temp: bool

    def best(self, max_mem: int) -> RechunkPlan:
        """Return the cheapest plan over the numbers of requests that are in flight at a time."""
        plans, errors = [], []
        for bit in range(self.threads.bit_length()):
            try:
                plans.append(self._plan(max_mem, self.threads >> bit))
            except MemoryLimitError as error:
                errors.append(error)
        if not plans:
            raise min(errors, key=lambda error: error.needed)
        return min(plans, key=lambda plan: plan.cost)

    def _plan(self, max_mem: int, concurrency: int) -> RechunkPlan:
        # Requests in flight share the time that each of them takes.
        shared = replace(
            self.cost, request=self.cost.request / concurrency, byte=self.cost.byte / concurrency
        )
        return plan_rechunk(
            self.source.shape,
            self.source.grid,
            self.target.unit,
            self.source.itemsize,
            max_mem,
            cost=shared,
            temp=self.temp,
            footprint=replace(self.footprint, concurrency=concurrency),
        )

    def enough(self, max_mem: int) -> int:
        """Return memory with which no temporary store is needed, to about a tenth."""
        low, high = max_mem, 2 * max_mem
        while self.best(high).read_amplification > MAX_AMPLIFICATION:
            low, high = high, 2 * high
        while high > 1.1 * low:
            middle = (low + high) // 2
            if self.best(middle).read_amplification > MAX_AMPLIFICATION:
                low = middle
            else:
                high = middle
        return high


def _temp_needed(name: str, plan: RechunkPlan, search: _Search) -> str:
    return (
        f"A temporary store location must be provided{f' for array {name!r}' if name else ''}: "
        f"within max_mem={format_bytes(plan.max_mem)} the source would be read "
        f"{plan.read_amplification:.1f} times over. Give temp_store, or raise max_mem to "
        f"{format_bytes(search.enough(plan.max_mem))}"
    )
