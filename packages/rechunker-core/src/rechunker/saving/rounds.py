"""Rounds of a saved plan: which of their tasks are done, by what is stored, and what is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from rechunker.copying import RecordedStage
from rechunker.jobs import TargetJob
from rechunker.running import BatchRunner
from rechunker.types import Stage, Traffic

__all__ = ["BarrierError", "Round", "Rounds"]

# Ranges of tasks that an error names.
_NAMED = 4

Pair = tuple[Stage, RecordedStage]


class BarrierError(RuntimeError):
    """What must be done before has not been done: the start, or all tasks of the round before."""


@dataclass(frozen=True)
class Round:
    """One round of a saved plan: tasks that may run in any order, in any process, at any time.

    Parameters
    ----------
    name
        What its tasks do, such as "read".
    tasks
        Number of tasks.
    memory
        Peak memory of one task in bytes.
    nbytes
        Decoded bytes that all tasks together read and write.
    """

    name: str
    tasks: int
    memory: int
    nbytes: int


@dataclass(frozen=True)
class Rounds:
    """The rounds of a planned target. The tasks of all its arrays are numbered together.

    Parameters
    ----------
    job
        The planned target, which can hold a journal.
    verify
        Whether the target is read at the end.
    """

    job: TargetJob
    verify: bool

    @cached_property
    def _pairs(self) -> list[list[Pair]]:
        specs = self.job.copying(verify=self.verify)
        recorded = self.job.recorded(verify=self.verify)
        pairs = [
            list(zip(spec.stages, stages, strict=True))
            for spec, stages in zip(specs, recorded, strict=True)
        ]
        columns = ([p for p in column if p and len(p[0])] for column in zip_longest(*pairs))
        return [column for column in columns if column]

    @cached_property
    def all(self) -> tuple[Round, ...]:
        """The rounds, in order."""
        return tuple(
            Round(
                " and ".join(dict.fromkeys(s.name.rpartition(": ")[2] for s, _ in pairs)),
                sum(len(stage) for stage, _ in pairs),
                max(stage.memory for stage, _ in pairs),
                sum(stage.nbytes for stage, _ in pairs),
            )
            for pairs in self._pairs
        )

    def tasks(self, number: int, tasks: object = None) -> range:
        """Return tasks of a round as a range.

        Parameters
        ----------
        number
            Number of the round.
        tasks
            A task number, a range, or None for all tasks.
        """
        if number not in range(len(self.all)):
            raise IndexError(f"the plan has rounds 0 to {len(self.all) - 1}, got {number!r}")
        whole = range(self.all[number].tasks)
        if tasks is None:
            return whole
        chosen = range(tasks, tasks + 1) if isinstance(tasks, int) else tasks
        if not isinstance(chosen, range) or chosen.step != 1:
            raise TypeError(f"tasks must be a number, a range with step 1 or None, got {tasks!r}")
        if chosen and not 0 <= chosen.start < chosen.stop <= whole.stop:
            raise IndexError(f"round {number} has tasks 0 to {whole.stop - 1}, got {tasks!r}")
        return chosen

    def run(self, number: int, tasks: range, epoch: str, runner: BatchRunner) -> Iterator[Traffic]:
        """Run those tasks of a round that are not done, and yield their traffic."""
        for (stage, recorded), part in self._parts(number, tasks):
            records = recorded.journal.records(epoch)
            assert records is not None  # the target can hold a journal
            lost = [task for task in records.lost() if task in part]
            done = recorded.look(records, part)
            yield Traffic(known=int(done.sum()))
            for todo in _ranges(~done, part.start):
                yield runner(stage, todo)
            for task in lost:
                records.set_found(task)

    def left(self, number: int, epoch: str) -> tuple[range, ...]:
        """Return the tasks of a round that are not done."""
        found = []
        for (_, recorded), part in self._parts(number, self.tasks(number)):
            records = recorded.journal.records(epoch)
            assert records is not None
            found.append(recorded.look(records, part))
        return _ranges(~np.concatenate(found), 0)

    def check_before(self, number: int, epoch: str) -> None:
        """Check that the round before is whole, and note that for other processes."""
        before, journal = number - 1, self.job.journal
        assert journal is not None
        if before < 0 or journal.is_whole(epoch, before):
            return
        left = self.left(before, epoch)
        if left:
            names = ", ".join(map(_named, left[:_NAMED]))
            what = "publish()" if number == len(self.all) else f"round {number}"
            raise BarrierError(
                f"{what} has to wait: of the {self.all[before].tasks} tasks of round {before}, "
                f"{sum(map(len, left))} are not done: {names}"
                f"{' and others' if left[_NAMED:] else ''}. Run them with run({before}, "
                f"range({left[0].start}, {left[0].stop})); left({before}) returns all of them"
            )
        journal.set_whole(epoch, before)

    def _parts(self, number: int, tasks: range) -> Iterator[tuple[Pair, range]]:
        """Yield the stages of a round with the numbers in them of some tasks of the round."""
        first = 0
        for pair in self._pairs[number]:
            stop = first + len(pair[0])
            part = range(max(tasks.start, first) - first, min(tasks.stop, stop) - first)
            if part:
                yield pair, part
            first = stop


def _named(tasks: range) -> str:
    return f"{tasks[0]} to {tasks[-1]}" if len(tasks) > 1 else str(tasks[0])


def _ranges(chosen: npt.NDArray[np.bool_], first: int) -> tuple[range, ...]:
    """Return the ranges of the numbers that are chosen, of those from `first` on."""
    edges: Sequence[int] = np.flatnonzero(np.diff(chosen, prepend=False, append=False)).tolist()
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return tuple(range(first + start, first + stop) for start, stop in pairs)
