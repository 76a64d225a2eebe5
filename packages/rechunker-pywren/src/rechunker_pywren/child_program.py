"""The program that runs pywren in a process of its own, for one execution of a plan.

Pywren's workers are forks of the process that makes its executor. Here that process is a new one,
in which no thread holds a lock, and no library has started what does not survive a fork. What
pywren prints, sets and leaves behind ends with it.
"""

from __future__ import annotations

import copyreg
import importlib
import logging
import multiprocessing
import os
import pickle
import select
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import rechunker  # noqa: F401, so that no worker has to import it
from rechunker.types import Traffic
from rechunker_pywren.calls import Call, LostWorkerError
from rechunker_pywren.legacy import legacy_modules
from rechunker_pywren.local import LocalCalls, close

__all__ = ["Reply", "main"]

# The place of a call among those that were sent, and what came of it.
Reply = tuple[int, Traffic | Exception]


class _Pickler(pickle.Pickler):
    """Pickles errors as Python does; pywren would do it so that it takes pywren to read them."""

    dispatch_table = {  # noqa: RUF012, which pickle wants to be so
        kind: reduce
        for kind, reduce in copyreg.dispatch_table.items()
        if not issubclass(kind, BaseException)
    }


def main() -> None:
    """Run the calls that come through the standard input, until its other end is closed.

    First comes a folder for files along with the number of workers, then one list of calls after
    another. They are pickled, as are the replies, which go through the standard output.
    """
    requests, replies = sys.stdin.buffer, _take_output()
    folder, workers = pickle.load(requests)
    function_executor = _make_executor(folder, workers)
    with suppress(EOFError, BrokenPipeError):
        while True:
            for reply in _run(function_executor, pickle.load(requests)):
                _Pickler(replies).dump(reply)
                replies.flush()
    _end(function_executor, folder)


def _take_output() -> BinaryIO:
    """Return the standard output; what is printed from here on goes nowhere."""
    replies = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    # A worker that had it open would keep others from seeing that this process has ended.
    os.register_at_fork(after_in_child=lambda: os.close(replies))
    return os.fdopen(replies, "wb")


def _make_executor(folder: str, workers: int) -> Any:
    multiprocessing.set_start_method("fork")  # pywren's workers cannot be started otherwise
    logging.getLogger("pywren_ibm_cloud").setLevel(logging.CRITICAL)
    with warnings.catch_warnings(action="ignore"):
        pywren = _import_pywren(folder)
        return pywren.local_executor(
            {"pywren": {"storage_bucket": "calls", "data_limit": False}}, workers=workers
        )


def _import_pywren(folder: str) -> Any:
    """Import all that pywren needs here, and have its files put into a folder."""
    tempfile.tempdir = folder  # pywren remembers what it is now
    with legacy_modules():
        importlib.import_module("pywren_ibm_cloud.compute.backends.localhost")
        pywren = importlib.import_module("pywren_ibm_cloud")
    tempfile.tempdir = None
    return pywren


def _run(function_executor: Any, calls: Sequence[Call]) -> Iterator[Reply]:
    try:
        yield from LocalCalls(function_executor, calls).outcomes(_pause)
    except LostWorkerError as error:
        yield -1, error


def _pause(seconds: float) -> None:
    """Wait, unless the other end of the standard input is closed, where nothing is due now."""
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    if readable:
        raise EOFError


def _end(function_executor: Any, folder: str) -> None:
    close(function_executor)
    shutil.rmtree(folder, ignore_errors=True)  # in case that the other process is gone
    os._exit(0)  # there is nothing to be waited for, as is what the workers will not read any more
