"""Executing a plan changes nothing in this process, and leaves nothing on the machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pywren_work import is_running, processes, wait_for

from rechunker.testing import Failing, Killing, Nothing, Telling
from rechunker.types import CopySpec, Stage
from rechunker_pywren import PywrenExecutor

# The time limit of a test is a timer of this process, which these tests look at.
pytestmark = pytest.mark.timeout(0)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD)

# Its tasks take far longer than `wait_for` waits. A program that is started in the background may
# be told to ignore SIGINT, and hands that on.
SCRIPT = """
import signal
import sys
from pathlib import Path
from rechunker.testing import Nothing, Telling
from rechunker.types import CopySpec, Stage
from rechunker_pywren import PywrenExecutor

signal.signal(signal.SIGINT, signal.default_int_handler)
stage = Stage("a: read", 16, Telling(Nothing(), Path(sys.argv[1]), 600.0))
PywrenExecutor(workers=2).prepare_plan([CopySpec("a", (stage,))])()
"""


def state() -> dict[str, Any]:
    """Return what a library may change in a process; what may become less, as a set."""
    return {
        "variables": dict(os.environ),
        "hooks": (sys.excepthook, threading.excepthook, sys.stdout, sys.stderr),
        "handlers": [signal.getsignal(number) for number in SIGNALS],
        "alarm": signal.getitimer(signal.ITIMER_REAL),
        "logging": (list(logging.root.handlers), logging.root.level),
        "loggers": {name for name in logging.root.manager.loggerDict if "pywren" in name},
        "warnings": list(warnings.filters),
        "threads": set(threading.enumerate()),
        "children": multiprocessing.active_children(),
        "files": set(map(target, Path("/proc/self/fd").iterdir())),
        "modules": {name for name in ("imp", "distutils") if name in sys.modules},
        "path": list(sys.path),
        "folder": os.getcwd(),
    }


def target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what is new, or different."""
    new = {
        name: value - before[name] if isinstance(value, set) else value
        for name, value in after.items()
        if value != before[name]
    }
    return {name: value for name, value in new.items() if value != set()}


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def fail(marks: Path) -> None:
    (marks / "broken").touch()
    work = Telling(Failing(marks / "broken", 5), marks)
    with pytest.raises(ValueError, match="on purpose"):
        run(work)


def lose(marks: Path) -> None:
    (marks / "armed").touch()
    run(Telling(Killing(Nothing(), 5, marks / "armed"), marks), retries=1)


def succeed(marks: Path) -> None:
    run(Telling(Nothing(), marks))


def run(work: Any, retries: int = 0) -> None:
    stage = Stage("a: read", 20, work)
    PywrenExecutor(workers=2, retries=retries).prepare_plan([CopySpec("a", (stage,))])()


@pytest.mark.parametrize("execute", [succeed, fail, lose])
def test_this_process_stays_as_it_was(
    execute: Callable[[Path], None],
    marks: Path,
    home: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    before = state()
    execute(marks)
    assert changes(before, state()) == {}
    assert not any(map(is_running, processes(marks)))
    assert list(home.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_processes_end_with_the_one_that_started_them(
    how: signal.Signals, marks: Path, home: Path
) -> None:
    places = {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(home)}
    script = [sys.executable, "-c", SCRIPT, str(marks)]
    with subprocess.Popen(script, env=os.environ | places, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: len(processes(marks)) == 2)
            process.send_signal(how)
            process.wait(60)
        finally:
            process.kill()
    wait_for(lambda: not any(map(is_running, processes(marks))))
    wait_for(lambda: list(home.iterdir()) == [])


def test_a_user_executor_stays_as_it_was(functions: Any, marks: Path) -> None:
    executor = PywrenExecutor(functions, retries=1)
    plan = executor.prepare_plan([CopySpec("a", (Stage("a: read", 20, Nothing()),))])
    plan()
    before = state() | vars(functions) | vars(functions.invoker)
    plan()
    assert changes(before, state() | vars(functions) | vars(functions.invoker)) == {}


@pytest.mark.parametrize("broken", [False, True])
def test_no_data_of_calls_stays_in_the_storage(functions: Any, marks: Path, broken: bool) -> None:
    stage = Stage("a: read", 20, Failing(marks / "broken", 5))
    plan = PywrenExecutor(functions).prepare_plan([CopySpec("a", (stage,))])
    before = functions.storage.list_keys("calls")
    if broken:
        (marks / "broken").touch()
        with pytest.raises(ValueError, match="on purpose"):
            plan()
    else:
        plan()
    assert functions.storage.list_keys("calls") == before


def test_no_task_of_a_plan_that_failed_runs_on(functions: Any, marks: Path) -> None:
    (marks / "broken").touch()
    work = Telling(Failing(marks / "broken", 0), marks, 0.1)
    plan = PywrenExecutor(functions).prepare_plan([CopySpec("a", (Stage("a: read", 64, work),))])
    with pytest.raises(ValueError, match="on purpose"):
        plan()
    begun = list(marks.iterdir())
    assert len(begun) < 32
    time.sleep(0.5)
    assert list(marks.iterdir()) == begun
