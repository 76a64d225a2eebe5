"""Array jobs: one array each, with everything that it takes to rechunk it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from zarr.storage import StorePath

from rechunker.copying import (
    CellCodec,
    CopyWork,
    Reader,
    RecordedStage,
    StoredArray,
    TempObjects,
    TempReader,
    TempWriter,
    TransferWork,
    Writer,
    ZarrReader,
    ZarrWriter,
    digest_of_sum,
    encoded_alike,
    is_for_one,
    sum_stage,
)
from rechunker.jobs.margins import tasks_at_once
from rechunker.metadata import Document, array_from_document, chunk_shapes, dimension_names
from rechunker.pictures import ArrayFigures
from rechunker.planning import (
    Chunking,
    Layout,
    RechunkPlan,
    StagePlan,
    array_figures,
    regular_grid,
)
from rechunker.sources import ArrayRequest
from rechunker.stores import StageJournal, identity_of, is_quick, name_of
from rechunker.types import CopySpec, Stage

__all__ = ["LAYOUT_VERSION", "ArrayJob", "TempPlace", "fingerprint_of"]

# Bytes of a slab of a cell: it stays in the processor's cache while it is scattered.
SLAB_BYTES = 1 << 22
Journals: TypeAlias = Callable[[int], StageJournal | None]
"""Returns the journal of a stage, by its number; None if the target can hold none."""

# To be raised with every change of the layout of temporary objects.
LAYOUT_VERSION = "4"


@dataclass(frozen=True)
class TempPlace:
    """Where temporary objects go, and how the cells in them are encoded.

    Parameters
    ----------
    path
        Place in a store.
    codec
        Encodes cells; None for raw cells, stored as they lie in memory.
    limit
        The most bytes of a cell that the codec can hold; None without a limit.
    folder
        Name of the folder of the plan at the place.
    document
        Metadata of an array that say how cells are encoded; None for raw cells.
    """

    path: StorePath
    codec: CellCodec | None
    limit: int | None = None
    folder: str = ""
    document: Document | None = None


@dataclass(frozen=True)
class ArrayJob:
    """One array to be rechunked.

    Parameters
    ----------
    request
        What is requested: source, name and metadata of the target.
    target
        The array to write.
    plan
        What will be done.
    temp
        Where temporary objects go; None if the plan needs none.
    fingerprint
        Part of the key of all temporary objects of this plan (`fingerprint_of`). A plan from a file
        keeps it, however the computer that goes on with it spells the places.
    kept
        Bytes that belong to each thread of a task, whatever it has in its hands.
    """

    request: ArrayRequest
    target: StoredArray
    plan: RechunkPlan
    temp: TempPlace | None
    fingerprint: str
    kept: int = 0

    @property
    def name(self) -> str:
        """Path of the array within the target, "" for a target that is an array."""
        return self.request.name

    @cached_property
    def label(self) -> str:
        """What logs and displays call the array: its path, or the name of a target that is one."""
        return self.name or name_of(StorePath(self.target.store, self.target.path))

    @property
    def temp_folder(self) -> StorePath:
        """Place below which all temporary objects of this array lie."""
        assert self.temp is not None
        return self.temp.path / self.temp.folder / self.fingerprint

    def spec(self, journals: Journals, settings: Mapping[str, Any], *, verify: bool) -> CopySpec:
        """Return the stages of the plan.

        Parameters
        ----------
        journals
            Returns the journal of each stage, without whose claim its tasks stop.
        settings
            Settings of Zarr for the tasks.
        verify
            Whether to read the target at the end, and to add up what is read from both sides.
        """
        stages = tuple(self._stages(journals, settings, verify))
        checks = (self._check(journals, settings),) if verify else ()
        return CopySpec(self.label, (*stages, *checks))

    def _stage_name(self, j: int) -> str:
        return f"{self.label}: {_verb(j, self.plan.hops)}"

    @property
    def predicted(self) -> Mapping[str, StagePlan]:
        """Stages of the plan, by the names of the stages that run them."""
        return {self._stage_name(j): stage for j, stage in enumerate(self.plan.stages)}

    @property
    def figures(self) -> ArrayFigures:
        """What is shown of the array."""
        document, stored = self.request.document, self.request.source.reader.stored
        names = dimension_names(array_from_document(document), document) or ()
        return array_figures(
            self.plan,
            self.name,
            dims=tuple(name or "" for name in names),
            source=None if stored is None else _chunking(stored.document),
            target=_chunking(document),
        )

    @property
    def writing(self) -> tuple[str, int]:
        """Name of the stage that writes to the target, and its number of tasks."""
        return self._stage_name(self.plan.hops), self.plan.stages[-1].tasks

    def digest(self, total: int) -> str:
        """Return the digest of the values whose sum is known."""
        return digest_of_sum(self.request.source.reader.dtype, self.plan.shape, total)

    def recorded(self, journals: Journals, *, verify: bool) -> tuple[RecordedStage, ...]:
        """Return what is needed to know which tasks of each stage are done."""
        stages, shape = self.plan.stages, self.plan.shape
        writers: list[Writer | None] = [self._writer(j, journals) for j in range(len(stages))]
        each = [*zip(stages, writers, strict=True), *([(stages[-1], None)] if verify else [])]
        return tuple(
            RecordedStage(journal, stage.tasks, shape, stage.grid, writer)
            for j, (stage, writer) in enumerate(each)
            if (journal := journals(j)) is not None
        )

    def _check(self, journals: Journals, settings: Mapping[str, Any]) -> Stage:
        """Return the stage that reads the target."""
        plan, last = self.plan, self.plan.stages[-1]
        return sum_stage(
            f"{self.label}: verify",
            last.grid,
            ZarrReader(self.target),
            plan.shape,
            memory=(max(1, self.target.codec.read_bytes), plan.max_mem),
            threads=plan.footprint.concurrency,
            nbytes=last.bytes_written,
            settings=settings,
            journal=journals(len(plan.stages)),
        )

    def _stages(
        self, journals: Journals, settings: Mapping[str, Any], verify: bool
    ) -> Iterator[Stage]:
        for j, stage in enumerate(self.plan.stages):
            name = self._stage_name(j)
            nbytes = stage.bytes_read + stage.bytes_written
            reader, writer = self._reader(j, journals), self._writer(j, journals)
            work = self._work(j, name, (reader, writer), journals(j), settings, verify)
            # Where nobody waits for a store, a single task keeps all cores busy.
            stores = (reader.store, writer.store)
            is_slow = any(store is not None and not is_quick(store) for store in stores)
            sharing = tasks_at_once(self.plan, stage, self.kept) if is_slow else 1
            yield Stage(name, stage.tasks, work, stage.memory, nbytes, sharing)

    def _work(
        self,
        j: int,
        name: str,
        ends: tuple[Reader, Writer],
        journal: StageJournal | None,
        settings: Mapping[str, Any],
        verify: bool,
    ) -> CopyWork | TransferWork:
        plan, stage, sums = self.plan, self.plan.stages[j], verify and j == 0
        reader, writer = ends
        threads = plan.footprint.concurrency
        alone = (
            is_for_one(reader.store, stage.bytes_read, stage.gets, stage.tasks),
            is_for_one(writer.store, stage.bytes_written, stage.puts, stage.tasks),
        )
        source = self._transferred
        if source is not None:
            return TransferWork(
                name, stage.grid, source, self.target, threads, all(alone), journal, sums
            )
        return CopyWork(
            name,
            plan.shape,
            stage.grid,
            reader,
            writer,
            stage.layout,
            threads,
            alone,
            settings,
            journal,
            sums,
        )

    def _reader(self, j: int, journals: Journals) -> Reader:
        if j == 0:
            return self.request.source.reader
        slab = None if self.plan.stages[j].layout is Layout.VIEW else SLAB_BYTES
        return TempReader(self._objects(j - 1, journals), slab)

    def _writer(self, j: int, journals: Journals) -> Writer:
        if j < self.plan.hops:
            return TempWriter(self._objects(j, journals))
        return ZarrWriter(self.target, self.request.write_empty)

    @property
    def _transferred(self) -> StoredArray | None:
        """The array whose stored objects can be copied without decoding; None otherwise."""
        stored = self.request.source.reader.stored
        if self.plan.hops or self.request.write_empty or stored is None:
            return None
        if self.plan.shards is not None:
            return None  # there was not enough memory for a whole shard
        return stored if encoded_alike(stored, self.target) else None

    def _objects(self, stage: int, journals: Journals) -> TempObjects:
        assert self.temp is not None
        source, stages = self.request.source, self.plan.stages
        folder = f"{self.temp_folder.path}/{stage}"
        grid = regular_grid(stages[stage + 1].grid)
        assert grid is not None  # only stage 0 follows the blocks of an irregular source
        return TempObjects(
            store=self.temp.path.store,
            prefix=folder,
            shape=self.plan.shape,
            boxes=stages[stage].grid,
            grid=grid,
            dtype=source.reader.dtype,
            codec=self.temp.codec,
            itemsize=source.itemsize,
            journal=journals(stage),
            parts=stages[stage].parts,
        )


def fingerprint_of(
    request: ArrayRequest, target: StoredArray, plan: RechunkPlan, temp: TempPlace | None
) -> str:
    """Return the fingerprint of an array job.

    It differs between two plans unless they copy the same source to the same target by way of
    the same temp store, in the same stages and in the same layout of temporary objects.

    Parameters
    ----------
    request, target, plan, temp
        As for `ArrayJob`.
    """
    reader = request.source.reader
    stored = reader.stored
    source = None if stored is None else StorePath(stored.store, stored.path)
    places = [source, StorePath(target.store, target.path), None if temp is None else temp.path]
    facts = [LAYOUT_VERSION, request.name, reader.identity, target.metadata]
    facts += ["" if place is None else identity_of(place) for place in places]
    facts += [json.dumps(request.document["attributes"], sort_keys=True)]
    facts += ["" if temp is None else repr(temp.codec)]
    facts += [repr(stage) for stage in plan.stages]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def _chunking(document: Document) -> Chunking | None:
    """Return chunks and shards of an array; None where its chunks are irregular."""
    chunks, shards = chunk_shapes(document)
    if chunks is None:
        return None
    return Chunking(tuple(max(1, n) for n in chunks), shards)


def _verb(stage: int, last: int) -> str:
    if last == 0:
        return "copy"
    return "read" if stage == 0 else "write" if stage == last else f"regroup {stage}"
