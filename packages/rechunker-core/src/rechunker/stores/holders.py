"""Holders: which execution, in which process on which computer, has a claim on a target."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Literal

from zarr.abc.buffer import Buffer
from zarr.buffer import cpu

__all__ = ["FOR_LIFE", "SAVED", "UNHELD", "Holder", "Known", "boot_id"]

Known = Literal["nothing", "some", "all"]
"""Which tasks of a run need not be done: none, those in its journal, or all of them."""

# Execution of a holder that counts as running as long as its process does.
FOR_LIFE = ""
# First letters of the id of an execution that nobody holds the target for: a plan that its user
# runs without `execute()`, wherever that may be.
UNHELD = "unheld-"
# First letters of the id of a plan that is run from a file: its tasks run in processes that come
# and go, on any computer, so none of them tells whether the run goes on.
SAVED = "saved-"
# Executions that this process is in the middle of: a claim of any other one is left over.
_ACTIVE: set[str] = set()


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
        Computer, its boot and the namespace of its processes, and process with the time of its
        start, as far as they are known.
    since
        Time of the claim (ISO 8601, UTC).
    resumes
        Whether the execution goes on with what an earlier one has left.
    cleared
        Whether the target is ready to be written to.
    known
        Which tasks have been done by earlier executions.
    epoch
        Random id of the first of the executions that go on with each other: what a task of an older
        one writes down, which still runs somewhere, is not taken for theirs.
    """

    run: str
    execution: str
    host: str
    boot: str
    pid: int
    born: str
    since: str
    resumes: bool = False
    cleared: bool = False
    known: Known = "nothing"
    epoch: str = ""

    @classmethod
    def here(cls, run: str, execution: str, *, resumes: bool = False) -> Holder:
        """Return a holder in this process."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        pid = os.getpid()
        host = socket.gethostname()
        return cls(run, execution, host, _system(), pid, _born(pid), now, resumes)

    @staticmethod
    @contextmanager
    def active(execution: str) -> Iterator[None]:
        """Let an execution count as running in this process within a context."""
        _ACTIVE.add(execution)
        try:
            yield
        finally:
            _ACTIVE.discard(execution)

    def pack(self) -> Buffer:
        """Return the holder as an object of a store."""
        return cpu.Buffer.from_bytes(json.dumps(asdict(self)).encode())

    @classmethod
    def unpack(cls, content: Buffer) -> Holder:
        """Return the holder that an object of a store says.

        Raises
        ------
        ValueError
            If it says none.
        """
        try:
            return cls(**json.loads(content.to_bytes()))
        except TypeError as error:
            raise ValueError(str(error)) from error

    @property
    def is_on_this_host(self) -> bool:
        """Whether its process is on this computer, and says by its life whether the run goes on."""
        if self.run.startswith(SAVED):
            return False
        return (self.host, self.boot) == (socket.gethostname(), _system())

    @property
    def is_gone(self) -> bool:
        """Whether its process is known to have ended, or to have ended this execution."""
        if not self.is_on_this_host:
            return False
        if self.pid == os.getpid() and self.born == _born(self.pid):
            return self.execution not in (*_ACTIVE, FOR_LIFE)
        return self.has_died

    @property
    def has_died(self) -> bool:
        """Whether its process is known to have ended."""
        if (self.host, self.boot) != (socket.gethostname(), _system()):
            return False
        born = _born(self.pid)  # empty where others may not be seen
        return not _is_alive(self.pid) or bool(born and self.born and self.born != born)

    @property
    def is_unheld(self) -> bool:
        """Whether it is a task that has claimed the target, and no execution that waits for it."""
        return self.execution.startswith(UNHELD)

    @property
    def is_over(self) -> bool:
        """Whether it is known that nothing of the execution runs any more, anywhere."""
        return self.is_gone and not self.is_unheld

    def __str__(self) -> str:
        return f"since {self.since} by process {self.pid} on {self.host}"


@cache
def boot_id() -> str:
    """Return the id of the present boot of this computer; empty where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return ""


def _system() -> str:
    """Return the id of the boot, and of the namespace of processes where there is one."""
    try:
        return f"{boot_id()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # not Linux
        return boot_id()


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
