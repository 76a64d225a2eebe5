"""Finding the plan of one array: its footprint, the prices of its stores, requests in flight."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

from zarr.abc.store import Store
from zarr.storage import FsspecStore, ObjectStore

from rechunker.copying import StoredArray, ZarrReader, spill
from rechunker.jobs.job import ArrayJob, TempPlace
from rechunker.planning import (
    LOCAL,
    OBJECT_STORE,
    CostModel,
    Footprint,
    MemoryLimitError,
    RechunkPlan,
    plan_rechunk,
)
from rechunker.sizes import format_bytes
from rechunker.sources import SourceArray
from rechunker.stores import access, unwrap
from rechunker.types import Executor

__all__ = ["plan_job"]

# Codecs move about as many decoded bytes in a second as a store moves of these parts of them,
# however few the stored bytes are.
FASTEST_CODEC = 0.3
# A request to an object store is mostly waiting, which needs no core.
REMOTE_REQUESTS = 16
# What a process takes besides the data of its task: stacks, modules, freed memory that is kept.
PROCESS_MARGIN = 16 * 10**6
# Encoded cells have an index, whether they are smaller or not.
ENCODED_TEMP = 0.99
# Without a temporary store, reading everything twice is still cheaper than finding one.
MAX_AMPLIFICATION = 2.0


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
    try:
        plan = search.best(max_mem)
    except MemoryLimitError as error:
        what = f"array {name!r}: " if name else ""
        raise MemoryLimitError(f"{what}{error}", error.needed) from None
    if temp is None and plan.read_amplification > MAX_AMPLIFICATION:
        raise ValueError(_temp_needed(name, plan, search))
    return ArrayJob(name, source, target, document, write_empty, plan, temp if plan.hops else None)


def _cost(stores: list[Store]) -> CostModel:
    """Price requests as on the slowest of the stores."""
    remote = any(isinstance(unwrap(store), FsspecStore | ObjectStore) for store in stores)
    return OBJECT_STORE if remote else LOCAL


def _footprint(source: SourceArray, target: StoredArray, temp: TempPlace | None) -> Footprint:
    chunk = prod(target.unit) * target.itemsize
    copied = access.copies(target.store) * chunk
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
        """Return the cheapest plan that leaves the process a margin, or else that fits at all."""
        margin = min(PROCESS_MARGIN, max_mem // 16)
        for limit in (max_mem - margin, max_mem):
            try:
                return replace(self._cheapest(limit), max_mem=max_mem)
            except MemoryLimitError as caught:
                error = caught
        raise error

    def _cheapest(self, max_mem: int) -> RechunkPlan:
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
