"""Array plans: the cheapest plan for one array, given its stores, its memory and its executor."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import inf
from typing import Any, NamedTuple

from zarr.abc.store import Store
from zarr.storage import FsspecStore, ObjectStore

from rechunker.copying import StoredArray
from rechunker.jobs.job import ArrayJob, TempPlace, fingerprint_of
from rechunker.jobs.margins import margin
from rechunker.jobs.ways import Way, as_planned, codecs_of, ways_to_read
from rechunker.metadata import check_codec_limits
from rechunker.planning import (
    LOCAL,
    OBJECT_STORE,
    CostModel,
    MemoryLimitError,
    RechunkPlan,
    plan_rechunk,
)
from rechunker.sizes import format_bytes
from rechunker.sources import ArrayRequest, SourceArray
from rechunker.stores import unwrap
from rechunker.types import Executor

__all__ = ["Parallelism", "TempNeededError", "plan_job"]

# Price in seconds of reading a decoded byte of a chunk, however little of it is stored: to decode
# LZ4 and to put the values into their box takes 0.4 to 0.85 ns of CPU time. Two cores share it, but
# it is paid for all the same: a hop instead of the fourth read of a source takes a fifth more time
# on a local disk, and a quarter less CPU time.
DECODING = 0.7e-9
# A request to an object store is mostly waiting, which needs no core.
REMOTE_REQUESTS = 16
# Encoded cells have an index, whether compression makes them smaller or not.
ENCODED_TEMP = 0.99
# Without a temp store, reading everything twice is still cheaper than setting one up.
MAX_AMPLIFICATION = 2.0


class Parallelism(NamedTuple):
    """How many tasks run at the same time, and how many requests of each.

    Parameters
    ----------
    workers, threads, overhead
        Attributes of an executor, or of the one that a run to be resumed was planned for.
    """

    workers: int
    threads: int
    overhead: float = 0.0

    @classmethod
    def of(cls, executor: Executor[Any]) -> Parallelism:
        """Return the numbers of an executor."""
        return cls(executor.workers, executor.threads, executor.overhead)

    @classmethod
    def recorded(cls, facts: Mapping[str, Any]) -> Parallelism | None:
        """Return the numbers in the facts of a plan; None if they are no such numbers."""
        workers, threads, overhead = (facts.get(name) for name in cls._fields)
        if not isinstance(workers, int) or not isinstance(threads, int):
            return None
        return cls(workers, threads, overhead) if isinstance(overhead, int | float) else None

    def share(self, nbytes: int, total: int) -> Parallelism:
        """Return the part of an array of some bytes in the workers that all arrays share."""
        workers = round(self.workers * (nbytes / total)) if total else self.workers
        return self._replace(workers=max(1, workers))


class TempNeededError(ValueError):
    """A plan needs a temp store, and there is none.

    Parameters
    ----------
    message
        Text of the error.
    needed
        Value of `max_mem`, in bytes, with which it needs none.
    """

    def __init__(self, message: str, needed: int):
        super().__init__(message)
        self.needed = needed


def plan_job(
    request: ArrayRequest,
    target: StoredArray,
    *,
    temp: TempPlace | None,
    max_mem: int,
    parallelism: Parallelism,
) -> ArrayJob:
    """Plan one array.

    Parameters
    ----------
    request
        The array.
    target
        The array to write.
    temp
        Where temporary objects may go; None if there is no such place.
    max_mem
        Memory limit per task in bytes.
    parallelism
        Of the executor that will run the plan.

    Raises
    ------
    MemoryLimitError
        If no plan fits in `max_mem`.
    TempNeededError
        If the plan needs a temp store, and there is none.
    ValueError
        If chunks or cells of temporary objects are too large for their codecs.
    """
    where = f"array {request.name!r}: " if request.name else ""
    search = _Search.of(request.source, target, temp, parallelism)
    try:
        check_codec_limits(request.document, target.itemsize)
    except ValueError as error:
        raise ValueError(f"{where}{error}") from None
    try:
        plan = search.best(max_mem)
        enough = None
        if temp is None and plan.read_amplification > MAX_AMPLIFICATION:
            enough, plan = search.reading_little(max_mem, plan)
    except OverflowError:
        raise ValueError(
            f"{where}an array of shape {search.source.shape} has more chunks than can be counted; "
            "choose larger target_chunks"
        ) from None
    except MemoryLimitError as error:
        raise MemoryLimitError(f"{where}{error}", error.needed, request.name) from None
    if enough is not None:
        raise TempNeededError(_temp_needed(request.name, plan, enough), enough)
    if temp is not None:
        _check_cells(plan, temp.limit, where)
    tasks = max(stage.tasks for stage in plan.stages)
    if tasks > sys.maxsize:
        raise ValueError(
            f"{where}an array of shape {plan.shape} takes {tasks} tasks, more than Python can "
            "count in a range; choose larger target_chunks, or raise max_mem"
        )
    request = replace(request, source=as_planned(request.source, plan))
    temp = temp if plan.hops else None
    fingerprint = fingerprint_of(request, target, plan, temp)
    return ArrayJob(request, target, plan, temp, fingerprint, search.kept)


def _prices(stores: list[Store | None]) -> CostModel:
    """Return the prices of the slowest of the stores."""
    return OBJECT_STORE if any(map(_is_remote, stores)) else LOCAL


def _is_remote(store: Store | None) -> bool:
    return store is not None and isinstance(unwrap(store), FsspecStore | ObjectStore)


def _check_cells(plan: RechunkPlan, limit: int | None, where: str) -> None:
    """Check that the codec of temporary objects can hold their cells."""
    if limit is not None and plan.largest_cell > limit:
        raise ValueError(
            f"{where}temporary objects would have cells of {plan.largest_cell} bytes, but their "
            f"codec can hold no more than {limit}; give temp_options={{'compressor': None}} or "
            "another compressor such as zstd, or a smaller max_mem"
        )


def _kept(source: SourceArray, target: StoredArray) -> int:
    """Return the bytes that belong to each thread of a task, whatever it has in its hands."""
    return max(codec.kept_bytes for codec in codecs_of(source, target))


@dataclass(frozen=True)
class _Search:
    """Everything that a plan depends on except the memory limit."""

    source: SourceArray
    target: StoredArray
    ways: tuple[Way, ...]
    cost: CostModel
    threads: int
    kept: int
    temp: bool
    in_parts: bool
    waits: bool
    max_amplification: float = inf

    @classmethod
    def of(
        cls,
        source: SourceArray,
        target: StoredArray,
        temp: TempPlace | None,
        parallelism: Parallelism,
    ) -> _Search:
        prices = _prices([target.store, source.reader.store, temp.path.store if temp else None])
        ratio = min(1.0, max(source.stored_ratio, DECODING / prices.byte))
        cost = replace(
            prices,
            workers=parallelism.workers,
            serial=parallelism.overhead,
            stored=ratio,
            temp=1.0 if temp is None or temp.codec is None else min(ratio, ENCODED_TEMP),
        )
        threads = parallelism.threads
        waits = prices is not LOCAL
        threads = max(threads, REMOTE_REQUESTS) if waits else threads
        ways = ways_to_read(source, target, temp)
        # Encoded cells have an index, which is in one object with them.
        in_parts = temp is not None and temp.codec is None and _is_remote(temp.path.store)
        kept = _kept(source, target)
        return cls(source, target, ways, cost, threads, kept, temp is not None, in_parts, waits)

    def best(self, max_mem: int) -> RechunkPlan:
        """Return the cheapest plan that leaves the process and each thread a margin.

        If there is none, return one for a single thread, with as much of the margin as possible.
        """
        numbers = [self.threads >> bit for bit in range(self.threads.bit_length())]
        margins = {number: margin(max_mem, number, self.kept) for number in numbers}
        trials = [(self, {n: max_mem - margin for n, margin in margins.items()})]
        trials += [(self, {1: max_mem - margins[1] * part // 4}) for part in (3, 2, 1)]
        trials += [(self._without_kept(), {1: max_mem})]
        for search, limits in trials:
            try:
                return replace(search._cheapest(limits), max_mem=max_mem)
            except MemoryLimitError as caught:
                error = caught
        raise error

    def _without_kept(self) -> _Search:
        """Return a search that takes what encoders free for free."""
        ways = (replace(way, footprint=replace(way.footprint, kept=0)) for way in self.ways)
        return replace(self, ways=tuple(ways))

    def _cheapest(self, limits: Mapping[int, int]) -> RechunkPlan:
        """Return the cheapest plan, given a memory limit for each number of requests in flight."""
        plans, errors = [], []
        for way, (number, limit) in product(self.ways, limits.items()):
            try:
                plans.append(self._plan(way, max(1, limit), number))
            except MemoryLimitError as error:
                errors.append(error)
        if not plans:
            raise min(errors, key=lambda error: error.needed)
        return min(plans, key=lambda plan: plan.cost)

    def _plan(self, way: Way, max_mem: int, concurrency: int) -> RechunkPlan:
        footprint, shards = way.with_memory(max_mem, concurrency)
        cost = self.cost
        if self.waits:
            cost = replace(cost, in_flight=concurrency)
        else:  # a disk: what one thread leaves of it, others take
            request, byte = cost.request / concurrency, cost.byte / concurrency
            cost = replace(cost, request=request, byte=byte)
        return plan_rechunk(
            self.source.shape,
            way.grid,
            self.target.unit,
            self.source.itemsize,
            max_mem,
            cost=cost,
            temp=self.temp,
            max_amplification=self.max_amplification,
            footprint=replace(footprint, parts=concurrency if self.in_parts else 1),
            shards=shards,
        )

    def reading_little(self, max_mem: int, plan: RechunkPlan) -> tuple[int | None, RechunkPlan]:
        """Return the cheapest plan of those that read little; None says that it fits.

        Where none of them fits, return the memory limit with which one does, and `plan`.
        """
        few = replace(self, max_amplification=MAX_AMPLIFICATION)
        try:
            return None, few.best(max_mem)
        except MemoryLimitError as error:
            return error.needed, plan


def _temp_needed(name: str, plan: RechunkPlan, enough: int) -> str:
    return (
        f"A temporary store location must be provided{f' for array {name!r}' if name else ''}: "
        f"with max_mem={format_bytes(plan.max_mem)} and no temp_store the source would be read "
        f"{plan.read_amplification:.1f} times; give temp_store, or raise max_mem to "
        f"{format_bytes(enough)} ({enough} bytes)"
    )
