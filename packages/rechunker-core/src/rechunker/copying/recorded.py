"""Recorded stages: which of their tasks are done, by their journal and by what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rechunker.copying.writing import Writer
from rechunker.planning import Grid, task_box
from rechunker.stores import Records, StageJournal, StageRecords, access

__all__ = ["RecordedStage", "settle"]

# Records whose objects are looked for at the same time.
_AT_ONCE = 64


@dataclass(frozen=True)
class RecordedStage:
    """What is needed to know which tasks of a stage are done.

    Parameters
    ----------
    journal
        Journal of the stage.
    tasks
        Number of tasks.
    shape
        Elements of the array along every axis.
    grid
        Task grid.
    writer
        What its tasks write with; None for a stage that only reads what the others have written.
    """

    journal: StageJournal
    tasks: int
    shape: tuple[int, ...]
    grid: Grid
    writer: Writer | None

    def done(self, records: StageRecords) -> npt.NDArray[np.bool_]:
        """Return which tasks are done.

        A task with a record is done if what it has stored is there, with its size: others may have
        cleaned up, or a computer had not yet written it to its disk when it stopped. What was read
        before a computer stopped may not have been on its disk either.
        """
        writer = self.writer

        def stand(found: Records, is_other_boot: bool) -> npt.NDArray[np.bool_]:
            if writer is None:
                return np.full(len(found), not is_other_boot)
            return self._stand(found, writer)

        return records.read(self.tasks, stand)

    def look(self, records: StageRecords, tasks: range) -> npt.NDArray[np.bool_]:
        """Return which tasks of a range are done, while others of the stage may be under way.

        Parameters
        ----------
        records
            Records of the epoch.
        tasks
            Task numbers, one after the other.
        """
        writer = self.writer

        def stand(found: Records, is_other_boot: bool) -> npt.NDArray[np.bool_]:
            return np.ones(len(found), bool) if writer is None else self._stand(found, writer)

        done = records.look(tasks, stand)
        done[[task - tasks.start for task in records.lost() if task in tasks]] = False
        return done

    def _stand(self, records: Records, writer: Writer) -> npt.NDArray[np.bool_]:
        """Return which tasks have as many objects, with as many bytes, as they have stored."""
        parts = [records[i : i + _AT_ONCE] for i in range(0, len(records), _AT_ONCE)]
        return np.array([stands for part in parts for stands in self._look(part, writer)], bool)

    def _look(self, records: Records, writer: Writer) -> list[bool]:
        keys: list[list[str]] = []
        for task in records["task"].tolist():
            box = task_box(self.shape, self.grid, task)
            keys.append(list(writer.keys(task, box)))
        sizes = iter(access.sizes(writer.store, (key for some in keys for key in some)))
        found = [[size for _ in some if (size := next(sizes)) is not None] for some in keys]
        said = zip(records["objects"].tolist(), records["nbytes"].tolist(), strict=True)
        return [(len(f), sum(f)) == s for f, s in zip(found, said, strict=True)]


def settle(stages: Sequence[RecordedStage], epoch: str) -> None:
    """Find out which tasks of an array's stages are done, and let their batches know.

    Parameters
    ----------
    stages
        The stages, in order.
    epoch
        Id of the executions that go on with each other.
    """
    writing = [stage for stage in stages if stage.writer is not None]
    is_needed, is_whole = True, True
    for stage in reversed(writing):
        records = stage.journal.records(epoch)
        if records is None:
            return
        # What a complete stage has read is needed no more, and may be gone.
        done = stage.done(records) if is_needed else np.ones(stage.tasks, bool)
        records.set_known(done)
        is_needed = is_needed and not done.all()
        is_whole = is_whole and bool(done.all())
    for stage in stages[len(writing) :]:
        records = stage.journal.records(epoch)
        if records is not None:
            # What is written again is to be read again.
            done = stage.done(records) if is_whole else np.zeros(stage.tasks, bool)
            records.keep(done)
            records.set_known(done)
