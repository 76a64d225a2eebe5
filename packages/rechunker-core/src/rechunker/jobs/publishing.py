"""Publishing: the stages before and after all copying, which clear and publish the target."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import zarr
from zarr.abc.store import Store
from zarr.buffer import cpu
from zarr.storage import StorePath

from rechunker.copying import StoredArray, check_keys
from rechunker.jobs.apart import Apart
from rechunker.jobs.equality import Check, VerificationError
from rechunker.jobs.published import Documents
from rechunker.jobs.resuming import Resumption
from rechunker.jobs.roots import Root
from rechunker.metadata import quiet
from rechunker.stores import (
    COPIED,
    Claim,
    Holder,
    Journal,
    Known,
    TargetInUseError,
    access,
    check_unchanged,
    make_folder,
    retried,
    side_by_side,
)
from rechunker.types import Traffic

__all__ = ["Finish", "Sources", "Start"]

# Times to look whether another run of the last task is done, and the seconds between.
_LOOKS, _PAUSE = 20, 0.05


@dataclass(frozen=True)
class Sources:
    """What the target is made from, as it was when the plan was made.

    Parameters
    ----------
    nodes
        Places of arrays and groups, with the digests of their metadata.
    arrays
        Arrays whose stored objects are read.
    """

    nodes: tuple[tuple[StorePath, str | None], ...] = ()
    arrays: tuple[StoredArray, ...] = ()

    def check(self) -> None:
        """Check that nothing has changed.

        Raises
        ------
        FileNotFoundError, ValueError
            If something is gone, or is not what it was.
        """
        for place, digest in self.nodes:
            check_unchanged(place, digest)
        by_store: dict[int, list[StoredArray]] = {}
        for array in self.arrays:
            by_store.setdefault(id(array.store), []).append(array)
        for arrays in by_store.values():
            side_by_side(arrays[0].store, _check_array, arrays)


def _check_array(array: StoredArray) -> None:
    array.check_unchanged()
    check_keys(array)


@dataclass(frozen=True)
class Start:
    """Claim the target, and clear it, or find what is done already if the run is resumed.

    Parameters
    ----------
    roots
        What the target consists of.
    sources
        What the target is made from.
    apart
        Checks that the target is apart from the sources; None without a target.
    resumption
        Goes on with an earlier run; None if the target can hold no journal.
    temp
        Claim on the folder of temporary objects, which says whose they are; None if there are none.
    """

    roots: tuple[Root, ...]
    sources: Sources
    apart: Apart | None = None
    resumption: Resumption | None = None
    temp: Claim | None = None

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for _ in tasks:
            self.sources.check()
            self._start()
            yield Traffic()

    def _start(self) -> None:
        left = self._left()
        claimed: list[tuple[Root, Claim, Holder]] = []
        for root in self.roots:
            holder = root.take(is_copied=left.is_copied)
            if root.claim is not None and holder is not None:
                claimed.append((root, root.claim, holder))
        nodes = [root.nodes() for root, _, _ in claimed]
        try:
            if self.apart is not None:
                places = [root.place for root, _, _ in claimed]
                self.apart.check(list(zip(places, nodes, strict=True)))
        except BaseException:
            for _, claim, _ in claimed:
                claim.release()
            raise
        if self.temp is not None and (claimed or not self._can_be_claimed):
            self.temp.set(claimed[0][2] if claimed else None)
        if claimed:
            self._make_ready(claimed, nodes, left)

    @property
    def _can_be_claimed(self) -> bool:
        return any(root.claim is not None for root in self.roots)

    def _make_ready(
        self,
        claimed: Sequence[tuple[Root, Claim, Holder]],
        nodes: Sequence[list[str]],
        left: _Left,
    ) -> None:
        if left.known == "some" and any(nodes) and not left.is_copied:
            left = _Left()  # somebody has put an array or a group there, which may be replaced
        if left.known == "nothing":
            for (root, _, _), keys in zip(claimed, nodes, strict=True):
                root.clear(keys)
            left = _Left(epoch=claimed[0][2].execution)
            if self.resumption is not None:
                self.resumption.begin(left.epoch)
        else:
            for root, _, _ in claimed:
                root.sweep()
        if left.known == "some" and self.resumption is not None:
            self.resumption.settle(left.epoch)
        for _, claim, holder in claimed:
            claim.set_cleared(holder, epoch=left.epoch, known=left.known)

    def _left(self) -> _Left:
        """Return what an earlier run has left, if this one is to go on with it."""
        if self.resumption is None:
            return _Left()
        claim = self.roots[0].claim  # all are taken alike
        holder = None if claim is None else claim.holder()
        if holder is None or not holder.resumes:
            return _Left()
        recorded = self.resumption.found()
        if recorded is None:
            return _Left()
        self.resumption.refuse_others(place for root in self.roots for place in root.arrays)
        is_copied = bool(recorded.get(COPIED))
        is_over = is_copied and all(root.is_there for root in self.roots)
        return _Left("all" if is_over else "some", str(recorded["epoch"]), is_copied)


class _Left(NamedTuple):
    """What an earlier run has left: which tasks are done, its epoch, and whether all was copied."""

    known: Known = "nothing"
    epoch: str = ""
    is_copied: bool = False


@dataclass(frozen=True)
class Finish:
    """Write the metadata, without which nothing can be opened, and delete temporary objects.

    Parameters
    ----------
    store
        Store of the target.
    roots
        What the target consists of.
    sources
        What the target is made from.
    documents
        Keys and contents, in rounds: children before parents.
    consolidate
        Places of the groups whose metadata are consolidated, the innermost first.
    temp
        Folder to delete; None if there is none.
    temp_store
        Where temporary objects may go, whether there are any or not: callers remove it at the end,
        and it is an error to remove a folder that is not there. None if there is no temp store.
    journal
        Journal of the run; None if the target can hold none.
    checks
        Arrays that must be equal to their sources.
    """

    store: Store
    roots: tuple[Root, ...]
    sources: Sources
    documents: tuple[Documents, ...]
    consolidate: tuple[StorePath, ...] = ()
    temp: StorePath | None = None
    temp_store: StorePath | None = None
    journal: Journal | None = None
    checks: tuple[Check, ...] = ()

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for _ in tasks:
            sums: tuple[tuple[str, int], ...] = ()
            if not self._is_done():
                try:
                    sums = self._publish()
                except TargetInUseError:
                    # This task may be run twice at the same time, and the other run was faster.
                    if not self._is_done_soon():
                        raise
            yield Traffic(sums=sums)

    def _publish(self) -> tuple[tuple[str, int], ...]:
        """Publish the target, and return the names of verified arrays with their sums."""
        claims = [root.claim for root in self.roots if root.claim is not None]
        for claim in claims:
            claim.check()
        self._check_sources()
        sums = () if self.journal is None else self._check_equality(self.journal)
        if self.journal is not None:
            self.journal.set_copied()
        for documents in self.documents:
            side_by_side(self.store, self._put, documents)
        for place in self.consolidate:
            with quiet():
                retried(place.store, partial(zarr.consolidate_metadata, place))
        for root in self.roots:
            root.renew()
        if self.temp is not None:
            access.delete_dir(self.temp.store, self.temp.path)
        if self.temp_store is not None:
            make_folder(self.temp_store)
        if self.journal is not None:
            self.journal.delete()
        for claim in claims:
            claim.release()
        return sums

    def _put(self, document: tuple[str, bytes]) -> None:
        key, content = document
        access.put(self.store, key, cpu.Buffer.from_bytes(content))

    def _check_equality(self, journal: Journal) -> tuple[tuple[str, int], ...]:
        try:
            return tuple(self._compare(journal.facts())) if self.checks else ()
        except VerificationError as error:
            now = journal.facts()
            if now is None or now.get(COPIED):
                # This task is run twice at the same time, and the other run was faster; or somebody
                # has deleted the journal.
                raise TargetInUseError(str(error)) from error
            journal.void()
            raise

    def _compare(self, facts: Mapping[str, Any] | None) -> Iterator[tuple[str, int]]:
        if facts is None:
            raise VerificationError("the journal of the run is gone; call execute() again")
        is_over = facts.get(COPIED) and all(root.is_there for root in self.roots)
        for check in () if is_over else self.checks:
            yield check.name, check.check(str(facts["epoch"]))

    def _check_sources(self) -> None:
        try:
            self.sources.check()
        except ValueError:  # they have changed, so what is copied is of no use
            if self.journal is not None:
                self.journal.void()
            raise

    def _is_done_soon(self) -> bool:
        """Wait for another run of this task, which may be about to give the target free."""
        for _ in range(_LOOKS):
            if self._is_done():
                return True
            time.sleep(_PAUSE)
        return self._is_done()

    def _is_done(self) -> bool:
        """Return whether this task has run before: its claims are gone, its target is there."""
        if not self.roots:
            return False  # there are no claims in a session
        gone = [root.claim is not None and root.claim.holder() is None for root in self.roots]
        return all(gone) and all(root.is_published() for root in self.roots)
