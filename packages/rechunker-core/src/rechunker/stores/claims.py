"""Claims: an object in the target that says which run writes to it, so that no other one does."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from zarr.abc.store import Store
from zarr.storage import LocalStore, StorePath

from rechunker.stores import access
from rechunker.stores.holders import FOR_LIFE, SAVED, UNHELD, Holder, Known
from rechunker.stores.wrappers import unwrap

__all__ = ["CLAIM", "Claim", "ClaimWatch", "StartingError", "TargetInUseError"]

CLAIM = ".rechunker-claim"
# Seconds between two checks of a claim.
PAUSE = 1.0
# How often a claim is written that is swept up meanwhile.
_TRIES = 3
# How to go on with a run that is not saved, and with one that is.
_GO_ON = (
    "call execute(resume=True) to go on with it",
    "go on with it by the file of its plan, with rechunker.load()",
)


class TargetInUseError(RuntimeError):
    """Another run writes to the target, or has taken it over."""


class StartingError(TargetInUseError):
    """Another process is about to start the same plan."""


@dataclass(frozen=True)
class Claim:
    """The claim of a run on a target.

    Parameters
    ----------
    store, path
        Place of the target.
    run
        Random id of the plan.
    """

    store: Store
    path: str
    run: str

    @property
    def place(self) -> StorePath:
        return StorePath(self.store, self.path)

    @property
    def key(self) -> str:
        return (self.place / CLAIM).path

    def holder(self) -> Holder | None:
        """Return who holds the target; None if nobody does."""
        found = access.get(self.store, self.key)
        if found is None:
            return None
        try:
            return Holder.unpack(found)
        except ValueError:
            raise TargetInUseError(
                f"{self.place} has a claim ({CLAIM}) that cannot be read; delete that object if no "
                "other run writes there"
            ) from None

    def take(
        self, *, overwrite: bool, resume: bool = False, execution: str | None = None
    ) -> Holder:
        """Claim the target for this process, or find that this run holds it.

        Parameters
        ----------
        overwrite
            Whether to take over a claim of a process that cannot be asked.
        resume
            Whether to do the same, to go on with what that process has left.
        execution
            Id of the execution; by default one that nobody else knows.

        Raises
        ------
        TargetInUseError
            If another run holds the target.
        """
        mine = Holder.here(self.run, execution or f"{UNHELD}{uuid4().hex}", resumes=resume)
        found = self.holder()
        if found is None:  # asked first: some servers ignore the condition of the request
            access.put_if_missing(self.store, self.key, mine.pack())
            found = self.holder()
        if found == mine:
            return mine
        same_run = found is not None and found.run == self.run and execution is None
        if found is not None and same_run and not self._is_dead_start(found):
            return found
        in_use = found is not None and not same_run and not found.is_gone
        if found is not None and in_use and (found.is_on_this_host or not (overwrite or resume)):
            raise TargetInUseError(_in_use(self.place, found))
        self._write(mine)
        self.check()
        return mine

    def _is_dead_start(self, found: Holder) -> bool:
        """Return whether a saved plan was being started by a process that has died.

        Raises
        ------
        StartingError
            If that process may go on. What it clears may be written already by tasks that another
            start has made way for.
        """
        if found.cleared or not self.run.startswith(SAVED):
            return False
        if not found.has_died:
            raise StartingError(
                f"another process is about to start this plan, {found}: wait for it; if it has "
                f"died, delete {CLAIM} in {self.place} and call start() again"
            )
        return True

    def set(self, holder: Holder | None) -> None:
        """Say who holds a place, without asking whether another one does.

        Parameters
        ----------
        holder
            The holder; None for this process as long as it lives.
        """
        self._write(holder or Holder.here(self.run, FOR_LIFE))

    def _write(self, holder: Holder) -> None:
        """Put a holder in the place of the one before."""
        for _ in range(_TRIES):
            # What is being written is swept up by a second run of the task that clears the target.
            with suppress(FileNotFoundError):
                access.put(self.store, self.key, holder.pack())
                return
        access.put(self.store, self.key, holder.pack())

    def set_cleared(self, holder: Holder, *, epoch: str = "", known: Known = "nothing") -> None:
        """Note that the target can be written to, and which tasks have been done before."""
        self.check()
        self._write(replace(holder, cleared=True, epoch=epoch, known=known))

    def check(self) -> Holder:
        """Check that this run still holds the target, and return the execution that does.

        Raises
        ------
        TargetInUseError
            If it does not.
        """
        found = self.holder()
        if found is None:
            raise TargetInUseError(
                f"the claim of this run on the target {self.place} is gone: the target was deleted "
                "or cleared in the meantime, or the run has ended; call rechunk() again"
            )
        if found.run != self.run:
            raise TargetInUseError(f"the target {self.place} was taken over {found}")
        return found

    def release(self, execution: str | None = None) -> None:
        """Give the target free if this run holds it.

        Parameters
        ----------
        execution
            Id of the execution that has to hold it; by default any of the run.
        """
        found = self.holder()
        if found is None or found.run != self.run:
            return
        if execution in (None, found.execution):
            access.delete(self.store, self.key)

    @contextmanager
    def held(self, *, overwrite: bool, resume: bool = False) -> Iterator[None]:
        """Hold the target within a context; the last task of the run gives it free."""
        execution = uuid4().hex
        folder = _new_folder(self.place)
        with Holder.active(execution):
            mine: str | None = execution  # until it is taken, another execution may hold it
            try:
                self.take(overwrite=overwrite, resume=resume, execution=execution)
                mine = None
                yield
            except BaseException:
                # Also where the claim was stored, and a request failed that looked at it.
                with suppress(Exception):  # the error that is on its way says more
                    self.release(mine)
                if folder is not None:
                    with suppress(OSError):  # it is not empty
                        folder.rmdir()
                raise


class ClaimWatch:
    """Checks a claim before the first task of a batch, and then every second.

    Parameters
    ----------
    claim
        The claim; None if there is none.
    """

    def __init__(self, claim: Claim | None) -> None:
        self._claim = claim
        self._checked = -math.inf
        self._holder: Holder | None = None

    def check(self) -> Holder | None:
        """Check the claim if the last check was a second ago.

        Returns
        -------
        Holder or None
            The execution that holds the claim; None if there is no claim.

        Raises
        ------
        TargetInUseError
            If this run does not hold the target any more.
        """
        now = time.monotonic()
        if self._claim is not None and now - self._checked > PAUSE:
            self._holder = self._claim.check()
            self._checked = now
        return self._holder


def _new_folder(place: StorePath) -> Path | None:
    """Return the folder that a claim will make; None if there is one, or no folders."""
    store = unwrap(place.store)
    if not isinstance(store, LocalStore):
        return None
    folder = store.root / place.path
    return None if folder.exists() else folder


def _in_use(place: StorePath, holder: Holder) -> str:
    advice = (
        "wait for it, or stop it"
        if holder.is_on_this_host
        else f"wait for it; if it runs no more, {_GO_ON[holder.run.startswith(SAVED)]}, or give "
        "target_options={'overwrite': True} to start anew"
    )
    return f"another run writes to the target {place}, {holder}: {advice}"
