"""Batches: the tasks of one call, which stop without a claim, and write down what is done."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress

import numpy as np
import numpy.typing as npt

from rechunker.copying.lanes import Lanes
from rechunker.stores import NO_EPOCH, ClaimWatch, Log, StageJournal
from rechunker.types import Traffic

__all__ = ["run_tasks"]


def run_tasks(
    journal: StageJournal | None,
    tasks: range,
    lanes: Lanes,
    run: Callable[[int, Lanes], None],
) -> Generator[Traffic, None, None]:
    """Run the tasks of one call that are not known to be done, and yield the traffic of each.

    Parameters
    ----------
    journal
        Journal of their stage; None if the target can hold neither a claim nor a journal.
    tasks
        Their numbers.
    lanes
        Lanes of the tasks, which are closed at the end.
    run
        Runs one task.
    """
    with lanes, _Batch(journal, tasks).closed() as batch:
        for task in tasks:
            if batch.is_known(task):
                yield Traffic(known=1)
                continue
            run(task, lanes)
            traffic = Traffic.total((lanes.take_traffic(), Traffic(tasks=1)))
            batch.note(task, traffic, lanes.take_sum())
            yield traffic


class _Batch:
    """The tasks of one call, and what is known of them.

    Parameters
    ----------
    journal
        Journal of their stage; None if the target can hold neither a claim nor a journal.
    tasks
        Their numbers.
    """

    def __init__(self, journal: StageJournal | None, tasks: range):
        self._watch = ClaimWatch(journal.claim if journal else None)
        self._tasks = tasks
        self._known: npt.NDArray[np.bool_] | None = None
        self._log: Log | None = None
        holder = self._watch.check()
        if journal is None:
            return
        epoch, known = (holder.epoch, holder.known) if holder else (NO_EPOCH, "nothing")
        records = journal.records(epoch)
        if records is not None and tasks:
            self._log = Log(records.place, tasks)
        if known == "all":
            self._known = np.ones(len(tasks), bool)
        elif records is not None and known == "some":
            self._known = records.known(tasks)

    @contextmanager
    def closed(self) -> Iterator[_Batch]:
        """Write what is not written yet at the end of a context; an error in it comes first."""
        try:
            yield self
        except BaseException:
            with suppress(Exception):
                self._close()
            raise
        self._close()

    def _close(self) -> None:
        if self._log is not None:
            self._log.close()

    def is_known(self, task: int) -> bool:
        """Return whether a task was done before the run was resumed; check the claim."""
        self._watch.check()
        return self._known is not None and bool(self._known[task - self._tasks[0]])

    def note(self, task: int, traffic: Traffic, total: int = 0) -> None:
        """Note that a task is done, what it has stored, and the sum of what it has read."""
        if self._log is not None:
            self._log.append(task, traffic.puts, traffic.stored_written, total)
