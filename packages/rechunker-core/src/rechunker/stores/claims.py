"""Claims: an object in the target that says which run writes to it, so that no other one does."""

from __future__ import annotations

import json
import math
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from zarr.abc.store import Store
from zarr.buffer import cpu
from zarr.storage import LocalStore, StorePath

from rechunker.stores import access

__all__ = ["CLAIM", "Claim", "ClaimWatch", "Holder", "TargetInUseError"]

CLAIM = ".rechunker-claim"
# Seconds between two checks of a claim.
PAUSE = 1.0
# Executions that this process is in the middle of: a claim of any other one is left over.
_ACTIVE: set[str] = set()


class TargetInUseError(RuntimeError):
    """Another run writes to the target, or has taken it over."""


@dataclass(frozen=True)
class Holder:
    """Who holds a claim.

    Parameters
    ----------
    run
        Random id of the plan.
    execution
        Random id of its execution.
    host, boot, pid, born
        Computer, its boot, and process with the time of its start, as far as they are known.
    since
        Time of the claim (ISO 8601, UTC).
    cleared
        Whether what was at the target has been deleted.
    """

    run: str
    execution: str
    host: str
    boot: str
    pid: int
    born: str
    since: str
    cleared: bool = False

    @classmethod
    def here(cls, run: str, execution: str) -> Holder:
        """Return a holder in this process."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        pid = os.getpid()
        return cls(run, execution, socket.gethostname(), _boot_id(), pid, _born(pid), now)

    @property
    def is_on_this_host(self) -> bool:
        return (self.host, self.boot) == (socket.gethostname(), _boot_id())

    @property
    def is_gone(self) -> bool:
        """Whether its process is known to have ended, or to have ended this execution."""
        if not self.is_on_this_host:
            return False
        if self.pid == os.getpid() and self.born == _born(self.pid):
            return self.execution not in _ACTIVE
        return not _is_alive(self.pid) or self.born != _born(self.pid)

    def __str__(self) -> str:
        return f"since {self.since} by process {self.pid} on {self.host}"


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
            return Holder(**json.loads(found.to_bytes()))
        except (TypeError, ValueError):
            raise TargetInUseError(
                f"{self.place} has a claim ({CLAIM}) that cannot be read; delete that object if no "
                "other run writes there"
            ) from None

    def take(self, *, overwrite: bool, execution: str | None = None) -> Holder:
        """Claim the target for this process, or find that this run holds it.

        Parameters
        ----------
        overwrite
            Whether to take over a claim of a process that cannot be asked.
        execution
            Id of the execution; by default one that nobody else knows.

        Raises
        ------
        TargetInUseError
            If another run holds the target.
        """
        mine = Holder.here(self.run, execution or uuid4().hex)
        access.put_if_missing(self.store, self.key, _pack(mine))
        found = self.holder()
        same_run = found is not None and found.run == self.run
        if found == mine or (same_run and execution is None):
            return found or mine
        in_use = found is not None and not found.is_gone
        if found is not None and in_use and (found.is_on_this_host or not overwrite):
            raise TargetInUseError(_in_use(self.place, found))
        access.put(self.store, self.key, _pack(mine))
        self.check()
        return mine

    def set_cleared(self, holder: Holder) -> None:
        """Note that what was at the target has been deleted."""
        self.check()
        access.put(self.store, self.key, _pack(replace(holder, cleared=True)))

    def check(self) -> None:
        """Check that this run still holds the target.

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

    def release(self) -> None:
        """Give the target free if this run holds it."""
        found = self.holder()
        if found is not None and found.run == self.run:
            access.delete(self.store, self.key)

    @contextmanager
    def held(self, *, overwrite: bool) -> Iterator[None]:
        """Hold the target within a context; the last task of the run gives it free."""
        execution = uuid4().hex
        folder = _new_folder(self.place)
        _ACTIVE.add(execution)
        try:
            self.take(overwrite=overwrite, execution=execution)
            try:
                yield
            except BaseException:
                self.release()
                if folder is not None:
                    with suppress(OSError):  # it is not empty
                        folder.rmdir()
                raise
        finally:
            _ACTIVE.discard(execution)


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

    def check(self) -> None:
        """Check the claim if the last check was a second ago.

        Raises
        ------
        TargetInUseError
            If this run does not hold the target any more.
        """
        now = time.monotonic()
        if self._claim is not None and now - self._checked > PAUSE:
            self._claim.check()
            self._checked = now


def _new_folder(place: StorePath) -> Path | None:
    """Return the folder that a claim will make; None if there is one, or no folders."""
    store = access.unwrap(place.store)
    if not isinstance(store, LocalStore):
        return None
    folder = store.root / place.path
    return None if folder.exists() else folder


def _pack(holder: Holder) -> cpu.Buffer:
    return cpu.Buffer.from_bytes(json.dumps(asdict(holder)).encode())


def _in_use(place: StorePath, holder: Holder) -> str:
    advice = (
        "wait for it, or stop it"
        if holder.is_on_this_host
        else "wait for it; if it runs no more, give target_options={'overwrite': True}"
    )
    return f"another run writes to the target {place}, {holder}: {advice}"


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return ""


def _born(pid: int) -> str:
    """Return when a process started, in ticks since the boot; ids of processes are used again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The name of the program, in parentheses, may hold blanks: proc(5).
    fields = re.sub(r"^.*\)", "", stat, flags=re.DOTALL).split()
    return fields[19]


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # there os.kill(pid, 0) would send Ctrl-C
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
