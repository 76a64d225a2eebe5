"""Equality: whether what can be read from a target is what was read from its source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from zarr.storage import StorePath

from rechunker.jobs.job import ArrayJob, Journals
from rechunker.stores import StageJournal, without_secrets

__all__ = ["Check", "VerificationError", "checks_of"]


class VerificationError(RuntimeError):
    """The target is not equal to the source."""


@dataclass(frozen=True)
class Check:
    """The sums of one array, over what was read from the source and from the target.

    Parameters
    ----------
    name
        Path of the array within the target.
    read, read_tasks
        Journal of the stage that reads the source, and its number of tasks.
    written, written_tasks
        Journal of the stage that reads the target, and its number of tasks.
    """

    name: str
    read: StageJournal
    read_tasks: int
    written: StageJournal
    written_tasks: int

    @property
    def _shown(self) -> str:
        return f"array {self.name!r}" if self.name else "the array"

    def check(self, epoch: str) -> int:
        """Compare the sums, and return them.

        Raises
        ------
        VerificationError
            If they differ.
        """
        sides = ((self.read, self.read_tasks), (self.written, self.written_tasks))
        sums = []
        for journal, tasks in sides:
            records = journal.records(epoch)
            count, total = records.total(tasks) if records is not None else (0, 0)
            if count != tasks:
                raise VerificationError(
                    f"{self._shown} cannot be verified: {tasks - count} of {tasks} tasks of "
                    f"the stage {journal.stage} left no record; call execute() again"
                )
            sums.append(total)
        if sums[0] != sums[1]:
            raise VerificationError(
                f"{self._shown}: what can be read from the target is not what was read from "
                "the source, so it is not published. If a codec or filter of the target rounds "
                "values, execute it without verify. Otherwise call execute() again; if it fails "
                "again, look for a faulty disk or memory"
            )
        return sums[0]


def checks_of(
    place: StorePath, jobs: Iterable[ArrayJob], journals_of: Callable[[ArrayJob], Journals]
) -> Iterator[Check]:
    """Yield the checks of all arrays of a target.

    Parameters
    ----------
    place
        Place of the target.
    jobs
        Its arrays.
    journals_of
        Returns what returns the journal of each stage of an array.

    Raises
    ------
    ValueError
        If the target can hold no journal.
    """
    for job in jobs:
        journals, stages = journals_of(job), job.plan.stages
        read, written = journals(0), journals(len(stages))
        if read is None or written is None or read.place is None:
            raise ValueError(
                "verify=True needs a target that can hold a journal: "
                f"{without_secrets(place)} cannot; call rechunker.verify(source, target) "
                "when the run is done, and before you commit a session"
            )
        yield Check(job.name, read, stages[0].tasks, written, stages[-1].tasks)
