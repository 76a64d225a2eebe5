"""Jobs: one array each, with all that it takes to rechunk it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from zarr.storage import StorePath

from rechunker.copying import (
    CellCodec,
    CopyWork,
    Reader,
    StoredArray,
    TempObjects,
    TempReader,
    TempWriter,
    TransferWork,
    Writer,
    ZarrReader,
    ZarrWriter,
    changed_settings,
    encoded_alike,
)
from rechunker.planning import Layout, RechunkPlan
from rechunker.sources import SourceArray
from rechunker.types import CopySpec, Stage

__all__ = ["ArrayJob", "TempPlace", "temp_folder"]

# Slabs of a cell that stay in the processor's cache while they are scattered.
SLAB_BYTES = 1 << 22


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
