"""Runs: programs in processes of their own, within limits of time and memory."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from rechunker.sizes import format_bytes
from usage import Usage
from workloads import Workload

__all__ = ["Limits", "Run", "middle", "put_away", "run_limit", "run_program", "run_project"]

HERE = Path(__file__).parent
PAUSE = 0.25  # seconds between two looks at a process
ROOM = 10 * 10**9  # bytes of the disk to leave free


@dataclass(frozen=True)
class Limits:
    """Limits of a run.

    Parameters
    ----------
    seconds
        Most seconds that it may take.
    memory
        Most resident bytes of all its processes together; they are only known on Linux.
    """

    seconds: float = 600.0
    memory: int = 8 * 10**9


@dataclass(frozen=True)
class Run:
    """What a run took, or why there is nothing to measure.

    Parameters
    ----------
    usage
        Time and memory.
    failure
        Words about what went wrong; empty if nothing did.
    printed
        All that the program said.
    """

    usage: Usage
    failure: str
    printed: Mapping[str, Any]


def run_program(
    command: list[str], limits: Limits | None = None, environment: Mapping[str, str] | None = None
) -> Run:
    """Run a program that prints JSON on its last line.

    Parameters
    ----------
    command
        The program and its arguments.
    limits
        It is ended where it goes beyond these.
    environment
        Environment variables to set.
    """
    if hasattr(os, "sync"):
        os.sync()  # what the run before has left to be written does not slow this one down
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        start_new_session=True,
    )
    try:
        failure, printed, errors = _watch(process, limits or Limits())
    finally:
        _end(process)
    if not failure and process.returncode:
        failure = f"fails: {(errors.strip().splitlines() or ['no message'])[-1]}"[:70]
    said = {} if failure else json.loads(printed.strip().splitlines()[-1])
    return Run(Usage(**said.get("usage", {})), failure or said.get("failure", ""), said)


def _watch(process: subprocess.Popen[str], limits: Limits) -> tuple[str, str, str]:
    """Wait for a process, and return what is wrong with it and what it printed."""
    latest = time.monotonic() + limits.seconds
    while True:
        try:
            return "", *process.communicate(timeout=PAUSE)
        except subprocess.TimeoutExpired:
            if time.monotonic() > latest:
                return f"over {limits.seconds / 60:g} minutes", "", ""
            if _resident(process.pid) > limits.memory:
                return f"over {format_bytes(limits.memory)}", "", ""


def _resident(group: int) -> int:
    """Return the resident bytes of all processes of a group."""
    pages = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            fields = path.read_text().rpartition(")")[2].split()  # see proc(5), from field 3 on
            pages += int(fields[21]) if int(fields[2]) == group else 0
    return pages * os.sysconf("SC_PAGE_SIZE") if pages else 0


def _end(process: subprocess.Popen[str]) -> None:
    """End a process with all that it has started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):  # there is none left
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.communicate()


def run_limit(workload: Workload, source: Path, scratch: Path) -> Usage:
    """Run the limit of a workload in a new process."""
    target = scratch / "target"
    command = [sys.executable, str(HERE / "limit.py"), workload.to_json(), str(source), str(target)]
    usage = _succeed(command).usage
    put_away(target)
    return usage


def run_project(workload: Workload, source: Path, scratch: Path) -> Run:
    """Run Rechunker in a new process, which compares the target with the source."""
    target, temp = scratch / "target", scratch / "temp"
    folders = map(str, (source, target, temp))
    run = _succeed([sys.executable, str(HERE / "project.py"), workload.to_json(), *folders])
    put_away(target)
    put_away(temp)
    if run.printed["different"]:
        raise SystemExit(f"{workload.name}: {run.printed['different']} elements differ")
    return run


def put_away(folder: Path) -> None:
    """Rename a folder, so that the next run can have its name.

    It is deleted now only if the disk is full. For minutes after thousands of files were deleted,
    ext4 looks at each of them again whenever a new one is made (`recently_deleted()` in its
    source), which took longer than all else in a run that writes 10,000 files.
    """
    if not folder.exists():
        return
    folder.rename(folder.with_name(f"old-{folder.name}-{uuid4().hex}"))
    if shutil.disk_usage(folder.parent).free < ROOM:
        for old in folder.parent.glob("old-*"):
            shutil.rmtree(old, ignore_errors=True)


def _succeed(command: list[str]) -> Run:
    run = run_program(command, Limits(seconds=3600))
    if run.failure:
        raise SystemExit(f"{Path(command[1]).name}: {run.failure}")
    return run


def middle(usages: list[Usage]) -> Usage:
    """Return the median of each figure, but the largest peak of memory."""
    cpu, user, wall = (median(getattr(u, name) for u in usages) for name in ("cpu", "user", "wall"))
    return Usage(wall, cpu, user, max(usage.peak for usage in usages))
