"""Transfer work: stored objects are copied without decoding if both arrays encode them alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rechunker.copying.batch import run_tasks
from rechunker.copying.blanks import Held
from rechunker.copying.changed import with_changes
from rechunker.copying.codecs import Piece
from rechunker.copying.errors import error_at
from rechunker.copying.lanes import Lane, Lanes
from rechunker.copying.reading import ZarrReader
from rechunker.copying.stored_array import StoredArray
from rechunker.planning import Grid, block, blocks_meeting, task_box
from rechunker.stores import StageJournal, access
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
    name
        Name of the stage, for errors.
    grid
        Task grid: each task owns one box of it.
    source, target
        Two arrays that encode their objects alike.
    threads
        Number of objects that one task copies at a time.
    alone
        Whether to set `Lanes.alone`.
    journal
        Journal of the stage, with the claim of the run, which is looked at every second; None if
        the target can hold neither.
    sums
        Whether to decode the objects, and to add up what is in them.
    """

    name: str
    grid: Grid
    source: StoredArray
    target: StoredArray
    threads: int
    alone: bool = False
    journal: StageJournal | None = None
    sums: bool = False

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        done = run_tasks(self.journal, tasks, Lanes(self.threads), self._run)
        return with_changes(self.target.store, self.name, tasks, done)

    def _run(self, task: int, lanes: Lanes) -> None:
        shape, units = self.source.shape, self.source.unit
        box = task_box(shape, self.grid, task)
        with error_at(lambda: f"{self.name}, task {task}"):
            held = Held.of(ZarrReader(self.source), box) if self.target.can_leave_out else None
            if held is not None:
                held.count(lanes.first, sums=self.sums)
                lanes.first.count(empty=held.missing)
            objects = blocks_meeting(shape, units, box) if held is None else held.units
            lanes.alone = self.alone
            lanes.each(objects, self._copy)

    def _copy(self, index: tuple[int, ...], lane: Lane) -> None:
        with error_at(lambda: self.source.locate(index)):
            self._copy_object(index, lane)

    def _copy_object(self, index: tuple[int, ...], lane: Lane) -> None:
        source, target = self.source, self.target
        nbytes, part = source.nbytes(index), source.needed(index)
        is_missing = source.is_known_missing(index)
        lane.count(bytes_read=nbytes, **({"missing": 1} if is_missing else {"gets": 1}))
        key = source.key(index)
        found = None if is_missing else access.fetch(source.store, key, lane.encoded)
        if found is None:
            if not is_missing:
                source.confirm_missing(index, lane)
            if self.sums:
                self._add(index, lane, [((0,) * len(source.unit), source.blank_unit)])
            target.discard(index, lane)
            return
        source.codec.check(found, part)
        if self.sums:
            self._add(index, lane, source.codec.decode(found, lane.decoded, part))
        lane.count(puts=1, bytes_written=nbytes, stored_read=found.size, stored_written=found.size)
        access.put_reused(target.store, target.key(index), found)

    def _add(self, index: tuple[int, ...], lane: Lane, pieces: Iterable[Piece]) -> None:
        """Add the pieces of an object to the sums."""
        box = block(self.source.shape, self.source.unit, index)
        for start, data in pieces:
            lane.add_up(tuple(o + s for o, s in zip(box.start, start, strict=True)), data, box)
