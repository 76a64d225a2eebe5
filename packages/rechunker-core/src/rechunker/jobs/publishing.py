"""Publishing: the stages before and after all copying, which clear and publish the target."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import zarr
from zarr.abc.store import Store
from zarr.buffer import cpu
from zarr.storage import StorePath

from rechunker.jobs.apart import Apart
from rechunker.jobs.equality import Check, VerificationError
from rechunker.jobs.published import Documents
from rechunker.jobs.resuming import Resumption
from rechunker.jobs.roots import Contents, Root
from rechunker.jobs.unchanged import Sources
from rechunker.metadata import quiet
from rechunker.stores import (
    COPIED,
    Claim,
    Holder,
    Journal,
    Known,
    TargetInUseError,
    access,
    make_folder,
    retried,
    side_by_side,
)
from rechunker.types import Traffic

__all__ = ["Finish", "Start"]

T = TypeVar("T")
P = TypeVar("P", bound="_Placed")

# Times to look whether another run of the last task is done, and the seconds between.
_LOOKS, _PAUSE = 20, 0.05


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
        take = partial(_taken, is_copied=left.is_copied)
        taken = [one for one in _of_each(self.roots, take) if one is not None]
        try:
            if self.apart is not None:
                self.apart.check([(one.place, one.contents.nodes) for one in taken])
        except BaseException:
            _of_each(taken, lambda one: one.claim.release())
            raise
        if self.temp is not None and (taken or not self._can_be_claimed):
            self.temp.set(taken[0].holder if taken else None)
        if taken:
            self._make_ready(taken, left)

    @property
    def _can_be_claimed(self) -> bool:
        return any(root.claim is not None for root in self.roots)

    def _make_ready(self, taken: Sequence[_Taken], left: _Left) -> None:
        now = _of_each(taken, lambda one: one.claim.check())
        ready = next((holder for holder in now if holder.cleared), None)
        # Another run of this task may have been faster; what it has cleared is written to already.
        left = _Left(ready.known, ready.epoch) if ready else self._clear(taken, left)
        epoch, known = left.epoch, left.known
        _of_each(taken, lambda it: it.claim.set_cleared(it.holder, epoch=epoch, known=known))

    def _clear(self, taken: Sequence[_Taken], left: _Left) -> _Left:
        """Delete what is there unless an earlier run has left it; return what then is left."""
        if left.known == "some" and any(one.contents.nodes for one in taken) and not left.is_copied:
            left = _Left()  # somebody has put an array or a group there, which may be replaced
        if left.known == "nothing":
            _of_each(taken, lambda one: one.root.clear(one.contents))
            left = _Left(epoch=taken[0].holder.execution)
            if self.resumption is not None:
                self.resumption.begin(left.epoch)
        else:
            for one in taken:
                one.root.sweep()
        if left.known == "some" and self.resumption is not None:
            self.resumption.settle(left.epoch)
        return left

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
        is_over = is_copied and all(_of_each(self.roots, Root.is_there))
        return _Left("all" if is_over else "some", str(recorded["epoch"]), is_copied)


class _Taken(NamedTuple):
    """A root that this run has claimed, and is to make ready, and what is there."""

    root: Root
    claim: Claim
    holder: Holder
    contents: Contents

    @property
    def place(self) -> StorePath:
        return self.root.place


def _taken(root: Root, *, is_copied: bool) -> _Taken | None:
    """Claim a root; return None if it is ready already."""
    holder = root.take(is_copied=is_copied)
    if root.claim is None or holder is None:
        return None
    return _Taken(root, root.claim, holder, root.contents())


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
            try:
                sums = self._publish()
            except TargetInUseError:
                # This task is run once more, or at the same time by another worker that was faster.
                if not self._is_done_soon() and not self._has_ended():
                    raise
            yield Traffic(sums=sums)

    def _publish(self) -> tuple[tuple[str, int], ...]:
        """Publish the target, and return the names of verified arrays with their sums."""
        _of_each(self._claims, Claim.check)
        self._check_sources()
        sums = () if self.journal is None else self._check_equality(self.journal)
        if self.journal is not None:
            self.journal.set_copied()
        for documents in self.documents:
            side_by_side(self.store, self._put, documents)
        for place in self.consolidate:
            with quiet():
                retried(place.store, partial(zarr.consolidate_metadata, place))
        _of_each(self.roots, Root.renew)
        if self.temp is not None:
            access.delete_dir(self.temp.store, self.temp.path)
        if self.temp_store is not None:
            make_folder(self.temp_store)
        if self.journal is not None:
            self.journal.delete()
        _of_each(self._claims, Claim.release)
        return sums

    @property
    def _claims(self) -> list[Claim]:
        return [root.claim for root in self.roots if root.claim is not None]

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
        is_over = facts.get(COPIED) and all(_of_each(self.roots, Root.is_there))
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

    def _has_ended(self) -> bool:
        """Give free what is not, if another run of this task has died while it did that."""
        claims = self._claims
        holders = zip(claims, _of_each(claims, Claim.holder), strict=True)
        left = [(claim, holder) for claim, holder in holders if holder is not None]
        if any(it.run != claim.run or not it.cleared for claim, it in left):
            return False
        if self.journal is not None and self.journal.is_there:
            return False
        if not all(_of_each(self.roots, Root.is_published)):
            return False
        if self.journal is not None:
            self.journal.delete()  # an empty folder may be left of it
        side_by_side(self.store, lambda it: it[0].release(it[1].execution), left)
        return True

    def _is_done(self) -> bool:
        """Return whether this task has run before: its claims are gone, its target is there."""
        if not self.roots:
            return False  # there are no claims in a session
        return all(_of_each(self.roots, Root.is_free)) and all(
            _of_each(self.roots, Root.is_published)
        )


class _Placed(Protocol):
    @property
    def place(self) -> StorePath: ...


def _of_each(items: Sequence[P], function: Callable[[P], T]) -> list[T]:
    """Return the results of a function that makes requests, for things that lie in one store."""
    return side_by_side(items[0].place.store, function, items) if items else []
