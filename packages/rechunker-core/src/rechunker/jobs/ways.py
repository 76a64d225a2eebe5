"""Ways to read a source: its objects as a whole, or the chunks of its shards one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

from rechunker.copying import (
    CHECKSUM_BYTES,
    LARGEST_KEPT,
    TRIM_AFTER,
    ChunkCodec,
    ShardReader,
    StoredArray,
    spill,
)
from rechunker.jobs.job import TempPlace
from rechunker.planning import Footprint, Grid, RechunkPlan, Shards
from rechunker.sources import SourceArray
from rechunker.stores import access

__all__ = ["Way", "as_planned", "codecs_of", "ways_to_read"]


@dataclass(frozen=True)
class Way:
    """A way to read a source.

    Parameters
    ----------
    source
        The source.
    grid
        Grid of what is read as a whole.
    footprint
        Memory that a task needs besides its box, with one read or write in flight.
    shards
        Reads the chunks of shards; None if objects are read whole.
    """

    source: SourceArray
    grid: Grid
    footprint: Footprint
    shards: ShardReader | None = None

    def with_memory(self, max_mem: int, concurrency: int) -> tuple[Footprint, Shards | None]:
        """Return the memory of a task, and the shards whose chunks are read one by one.

        Parameters
        ----------
        max_mem
            Memory limit per task in bytes.
        concurrency
            Number of reads, or of writes, that a task has in flight.
        """
        footprint = replace(self.footprint, concurrency=concurrency)
        if self.shards is None:
            return footprint, None
        codec, unit = self.shards.codec, self.shards.array.unit
        reader = self.shards.within(max_mem, concurrency)
        more = reader.read_bytes - self.shards.read_bytes
        stored = self.source.stored_ratio * prod(unit) * self.source.itemsize
        shards = Shards(
            grid=unit,
            index_bytes=codec.index.nbytes,
            at_once=reader.at_once,
            requests=min(codec.index.entries, 1 + int(stored / max(1, reader.gap))),
        )
        return replace(footprint, read=footprint.read + more), shards


def ways_to_read(
    source: SourceArray, target: StoredArray, temp: TempPlace | None
) -> tuple[Way, ...]:
    """Return the ways in which a source can be read.

    Parameters
    ----------
    source
        The source.
    target
        The array to write.
    temp
        Where temporary objects may go; None if there is no such place.
    """
    footprint = _footprint(source, target, temp)
    whole = Way(source, source.grid, footprint)
    if source.shards is None:
        return (whole,)
    more = source.shards.read_bytes - source.read_bytes
    parts = replace(footprint, read=footprint.read + more, unit=None)
    return whole, Way(source, source.shards.inner, parts, source.shards)


def as_planned(source: SourceArray, plan: RechunkPlan) -> SourceArray:
    """Return a source that is read as a plan says."""
    if source.shards is None or plan.shards is None:
        return source
    return source.in_parts(replace(source.shards, at_once=plan.shards.at_once))


def codecs_of(source: SourceArray, target: StoredArray) -> list[ChunkCodec]:
    """Return the codecs that a task decodes and encodes with."""
    stored = source.reader.stored
    return [target.codec, *([stored.codec] if stored else [])]


def _footprint(source: SourceArray, target: StoredArray, temp: TempPlace | None) -> Footprint:
    chunk = prod(target.unit) * target.itemsize
    copied = access.copies(target.store) * chunk
    stored = source.reader.stored
    if stored is not None and stored.codec.order == "F":
        copied += chunk  # put into C order to be encoded
    lasting = max(codec.lasting_bytes for codec in codecs_of(source, target))
    return Footprint(
        read=source.read_bytes + lasting,
        unit=source.unit_bytes,
        write=target.codec.write_bytes + copied + lasting,
        pad=chunk,
        spill=spill(temp.path.store, temp.codec) if temp else 0.0,
        checksum=CHECKSUM_BYTES,
        cell=temp.codec.decoding_factor if temp and temp.codec else 1.0,
        encode=temp.codec.encoding_factor if temp and temp.codec else 0.0,
        kept=target.codec.write_bytes if chunk < LARGEST_KEPT else 0,
        trim=TRIM_AFTER,
    )
