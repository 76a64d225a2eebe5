"""Journals: what a run has done, kept in its target until the end, so that another can go on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from zarr.abc.store import RangeByteRequest
from zarr.buffer import cpu
from zarr.storage import StorePath

from rechunker.stores import access
from rechunker.stores.claims import Claim
from rechunker.stores.holders import boot_id
from rechunker.stores.records import Records, may_tell_of, parse_log, without

__all__ = ["COPIED", "JOURNAL", "NO_EPOCH", "Journal", "StageJournal"]

JOURNAL = ".rechunker-journal"
# Epoch of the records of tasks that only read, without a claim.
NO_EPOCH = "once"
# Names of objects in the folder of a stage that are no logs.
_KNOWN, _LOST = "known", "lost-"
# Name, before the number of a round, of the object that says that all its tasks were done.
_WHOLE = "whole-"
# Names in the folder of a journal.
_PLAN, _DONE = "plan", "done"
# Times to write a file whose folder others delete.
_ATTEMPTS = 5
# Ids of executions: what can be the name of a folder and nothing else.
_EPOCH = re.compile(r"[0-9A-Za-z-]+")
# Fact that is true if all chunks of the target are written.
COPIED = "copied"


@dataclass(frozen=True)
class StageJournal:
    """Where the tasks of one stage of one array write down what is done.

    Parameters
    ----------
    claim
        Claim of the run on the part of the target that the array belongs to; None where nothing is
        written.
    place
        Folder of the records of all epochs; None if the store cannot list objects.
    stage
        Name of the stage.
    """

    claim: Claim | None
    place: StorePath | None
    stage: str

    def records(self, epoch: str) -> StageRecords | None:
        """Return the records of an epoch; None if there are none."""
        if self.place is None or not epoch:
            return None
        return StageRecords(self.place / epoch / self.stage)

    def set_lost(self, task: int) -> None:
        """Note that what a task has stored is gone or damaged, if the store can be written to."""
        with suppress(Exception):
            epoch = self.claim.check().epoch if self.claim else ""
            records = self.records(epoch)
            if records is not None and self.place is not None:
                records.set_lost(task)
                whole = self.place / epoch / f"{_WHOLE}{self.stage.rpartition('/')[2]}"
                access.delete(whole.store, whole.path)


@dataclass(frozen=True)
class StageRecords:
    """What the tasks of one stage have written down.

    Parameters
    ----------
    place
        Folder of the records.
    """

    place: StorePath

    def known(self, tasks: range) -> npt.NDArray[np.bool_]:
        """Return which tasks of a range were done before the run was resumed.

        Parameters
        ----------
        tasks
            Task numbers, one after the other.
        """
        if not tasks:
            return np.zeros(0, bool)
        first, stop = tasks[0] // 8, tasks[-1] // 8 + 1
        place = self.place / _KNOWN
        found = access.get(place.store, place.path, RangeByteRequest(first, stop))
        bits = np.zeros(8 * (stop - first), np.uint8)
        if found is not None:
            part = np.frombuffer(found.to_bytes(), np.uint8)
            bits[: 8 * part.size] = np.unpackbits(part)
        skipped = tasks[0] - 8 * first
        return bits[skipped : skipped + len(tasks)].astype(bool)

    def set_known(self, known: npt.NDArray[np.bool_]) -> None:
        """Keep which tasks of the stage need not be done."""
        self._put(_KNOWN, np.packbits(known).tobytes())

    def set_lost(self, task: int) -> None:
        """Note that what a task has stored is gone or damaged."""
        self._put(f"{_LOST}{task}", b"lost")

    def _put(self, name: str, content: bytes) -> None:
        place = self.place / name
        access.put(place.store, place.path, cpu.Buffer.from_bytes(content))

    def read(
        self, tasks: int, stand: Callable[[Records, bool], npt.NDArray[np.bool_]]
    ) -> npt.NDArray[np.bool_]:
        """Return which tasks of the stage are done.

        Parameters
        ----------
        tasks
            Number of tasks.
        stand
            Returns which records hold: what their tasks have stored is there. It gets records, and
            whether the computer may have lost what it had not yet written to its disk: it has
            been started again since then, or another one has written them.
        """
        self._drop_lost()
        return self.look(range(tasks), stand)

    def look(
        self, tasks: range, stand: Callable[[Records, bool], npt.NDArray[np.bool_]]
    ) -> npt.NDArray[np.bool_]:
        """Return which tasks of a range are done, while others may write records.

        Parameters
        ----------
        tasks
            Task numbers, one after the other.
        stand
            As for `read`.
        """
        done = np.zeros(len(tasks), bool)
        for _, content in self._logs(lambda name: may_tell_of(name, tasks)):
            boot, records = parse_log(content)
            numbers = records["task"]
            records = records[(numbers >= tasks.start) & (numbers < tasks.stop)]
            held = records[stand(records, boot != boot_id())]
            done[held["task"].astype(np.int64) - tasks.start] = True
        return done

    def lost(self) -> frozenset[int]:
        """Return the tasks whose results are gone or damaged."""
        marks = self._keys(lambda name: name.startswith(_LOST))
        return frozenset(int(n) for mark in marks if (n := mark.rpartition("-")[2]).isdecimal())

    def set_found(self, task: int) -> None:
        """Note that a task whose result was lost has been done again."""
        place = self.place / f"{_LOST}{task}"
        access.delete(place.store, place.path)

    def total(self, tasks: int) -> tuple[int, int]:
        """Return how many tasks have a record, and the sum over all of them modulo 2**64."""
        seen, total = np.zeros(tasks, bool), 0
        for _, content in self._logs():
            _, records = parse_log(content)
            records = records[records["task"] < tasks]
            numbers, places = np.unique(records["task"], return_index=True)
            new = records[places[~seen[numbers.astype(np.int64)]]]
            seen[new["task"].astype(np.int64)] = True
            total += int(new["sum"].sum(dtype=np.uint64))
        return int(seen.sum()), total % 2**64

    def keep(self, done: npt.NDArray[np.bool_]) -> None:
        """Take the records of all tasks that are not done out of the logs."""
        self._drop(np.flatnonzero(~done).tolist())

    def _drop_lost(self) -> None:
        """Take the tasks whose results are lost out of all logs."""
        lost = sorted(self.lost())
        self._drop(lost)
        for task in lost:  # last, so that a run that dies here leaves the marks
            self.set_found(task)

    def _drop(self, tasks: list[int]) -> None:
        for key, content in self._logs() if tasks else ():
            rest = without(content, tasks)
            if rest != content:
                access.put(self.place.store, key, cpu.Buffer.from_bytes(rest))

    def _logs(self, wanted: Callable[[str], bool] = bool) -> Iterator[tuple[str, bytes]]:
        """Yield the keys and the contents of the logs whose names are wanted."""
        for key in self._keys(lambda name: name[:1].isdecimal() and wanted(name)):
            found = access.get(self.place.store, key)
            if found is not None:
                yield key, found.to_bytes()

    def _keys(self, wanted: Callable[[str], bool]) -> list[str]:
        """Return the keys of the objects whose names are wanted."""
        folder = f"{self.place.path}/"
        return access.find_keys(self.place.store, folder, lambda k: wanted(k[len(folder) :]))


@dataclass(frozen=True)
class Journal:
    """The journal of a run: the facts of its plan, and the records of its stages.

    Parameters
    ----------
    target
        Place of the first part of the target, which holds the journal.
    """

    target: StorePath

    @property
    def place(self) -> StorePath:
        return self.target / JOURNAL

    @property
    def _plan(self) -> StorePath:
        return self.place / _PLAN

    @property
    def _is_kept(self) -> bool:
        return bool(self.target.store.supports_listing)

    def stage(self, claim: Claim, array: str, number: int) -> StageJournal:
        """Return the journal of a stage.

        Parameters
        ----------
        claim
            Claim on the part of the target that the array belongs to.
        array
            Name that no other array of the plan has.
        number
            Number of the stage.
        """
        place = self.place / _DONE if self._is_kept else None
        return StageJournal(claim, place, f"{array}/{number}")

    def facts(self) -> Mapping[str, Any] | None:
        """Return the facts of the plan whose run has left a journal; None if there is none."""
        found = access.get(self._plan.store, self._plan.path) if self._is_kept else None
        try:
            parsed = None if found is None else json.loads(found.to_bytes())
        except ValueError:
            return None
        epoch = parsed.get("epoch") if isinstance(parsed, dict) else None
        return parsed if isinstance(epoch, str) and _EPOCH.fullmatch(epoch) else None

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Begin a journal, in a target that has nothing of earlier runs.

        The same may be done at the same time, when an engine runs the first task of a plan twice,
        and each run may delete the folder in which the other one has just begun to write a file.
        """
        content = cpu.Buffer.from_bytes(json.dumps(facts).encode())
        for attempt in range(_ATTEMPTS if self._is_kept else 0):
            try:
                access.put(self._plan.store, self._plan.path, content)
                return
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise

    def is_whole(self, epoch: str, number: int) -> bool:
        """Return whether all tasks of a round are known to be done."""
        place = self._whole(epoch, number)
        return access.get(place.store, place.path) is not None

    def set_whole(self, epoch: str, number: int) -> None:
        """Note that all tasks of a round are done."""
        place = self._whole(epoch, number)
        access.put(place.store, place.path, cpu.Buffer.from_bytes(b"whole"))

    def _whole(self, epoch: str, number: int) -> StorePath:
        return self.place / _DONE / epoch / f"{_WHOLE}{number}"

    def set_copied(self) -> None:
        """Note that all chunks are written, so that nothing is left to do but to publish."""
        facts = self.facts()
        if facts is not None:
            self.begin({**facts, COPIED: True})

    def delete(self) -> None:
        """Delete the journal; if the process dies here, what is left says that all is copied."""
        if self._is_kept:
            access.delete_dir(self.place.store, (self.place / _DONE).path)
            access.delete(self._plan.store, self._plan.path)
            access.delete_dir(self.place.store, self.place.path)  # the empty folder

    @property
    def is_there(self) -> bool:
        """Whether there is a journal, of whatever run."""
        return self._is_kept and access.get(self._plan.store, self._plan.path) is not None

    @property
    def is_copied(self) -> bool:
        """Whether there is one of a run that has written all chunks, and was to publish them."""
        return bool((self.facts() or {}).get(COPIED))

    def void(self) -> None:
        """Make the journal, if there is one, worthless."""
        if self._is_kept:
            access.delete(self._plan.store, self._plan.path)
