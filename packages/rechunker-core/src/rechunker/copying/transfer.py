"""Transfer work: stored objects are copied without decoding if both arrays encode them alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rechunker.copying.lanes import Lane, Lanes
from rechunker.copying.stored_array import StoredArray
from rechunker.planning import Grid, block, blocks_meeting, task_box
from rechunker.stores import access
from rechunker.types import Traffic

__all__ = ["TransferWork", "encoded_alike"]

# Metadata that may differ between two arrays whose stored objects have the same bytes.
_APART = ("attributes", "chunk_key_encoding", "dimension_names", "dimension_separator")


def encoded_alike(a: StoredArray, b: StoredArray) -> bool:
    """Return whether two arrays of the same values store the same bytes in every object.

    Their fill values must be equal, too: a missing object stands for them.
    """
    one, other = a.document, b.document
    for name in _APART:
        one.pop(name, None)
        other.pop(name, None)
    return one == other


@dataclass(frozen=True)
class TransferWork:
    """The tasks of a stage that copies objects without decoding them.

    Parameters
    ----------
    grid
        Task grid: each task owns one box of it.
    source, target
        Two arrays that encode their objects alike.
    threads
        Number of objects that one task copies at a time.
    """

    grid: Grid
    source: StoredArray
    target: StoredArray
    threads: int

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        shape, units = self.source.shape, self.source.unit
        with Lanes(self.threads) as lanes:
            for task in tasks:
                box = task_box(shape, self.grid, task)
                lanes.each(blocks_meeting(shape, units, box), self._copy)
                yield lanes.take_traffic() + Traffic(tasks=1)

    def _copy(self, index: tuple[int, ...], lane: Lane) -> None:
        source, target = self.source, self.target
        nbytes = block(source.shape, source.unit, index).size * source.itemsize
        found = access.fetch(source.store, source.key(index), lane.encoded)
        lane.count(gets=1, bytes_read=nbytes)
        if found is None:
            target.discard(index, lane)
            return
        lane.count(puts=1, bytes_written=nbytes, stored_read=found.size, stored_written=found.size)
        access.put_reused(target.store, target.key(index), found)
