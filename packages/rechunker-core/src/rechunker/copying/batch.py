"""Batches: the tasks of one call, which stop without a claim, and write down what is done."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from types import TracebackType

import numpy as np
import numpy.typing as npt

from rechunker.stores import ClaimWatch, Log, StageJournal
from rechunker.types import Traffic

__all__ = ["NO_EPOCH", "Batch"]

# Epoch of the records of tasks that only read, without a claim.
NO_EPOCH = "once"


class Batch:
    """The tasks of one call.

    Parameters
    ----------
    journal
        Journal of their stage; None if the target can hold neither a claim nor a journal.
    tasks
        Their numbers.
    """

    def __init__(self, journal: StageJournal | None, tasks: range):
        self._watch = ClaimWatch(journal.claim if journal else None)
        self._first = tasks[0] if tasks else 0
        self._known: npt.NDArray[np.bool_] | None = None
        self._log: Log | None = None
        holder = self._watch.check()
        if journal is None:
            return
        epoch, known = (holder.epoch, holder.known) if holder else (NO_EPOCH, "nothing")
        records = journal.records(epoch)
        if records is not None:
            self._log = Log(records.place, self._first)
        if known == "all":
            self._known = np.ones(len(tasks), bool)
        elif records is not None and known == "some":
            self._known = records.known(tasks)

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._log is not None:
            with nullcontext() if error is None else suppress(Exception):
                self._log.close()

    def is_known(self, task: int) -> bool:
        """Return whether a task was done before the run was resumed; check the claim."""
        self._watch.check()
        return self._known is not None and bool(self._known[task - self._first])

    def note(self, task: int, traffic: Traffic, total: int = 0) -> None:
        """Note that a task is done, what it has stored, and the sum of what it has read."""
        if self._log is not None:
            self._log.append(task, traffic.puts, traffic.stored_written, total)
