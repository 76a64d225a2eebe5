"""Program of the child process: it runs calls with pywren for one execution of a plan.

Pywren forks its workers from the process that makes its executor. This process is new: no thread
holds a lock, and no library has threads or connections that do not survive a fork. Whatever pywren
prints, sets or leaves behind ends with it.
"""

from __future__ import annotations

import copyreg
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

import rechunker  # noqa: F401, imported before the fork so that no worker has to import it
from rechunker.types import Traffic
from rechunker_pywren.calls import Call, LostWorkerError
from rechunker_pywren.local_calls import LocalCalls, close, import_pywren

__all__ = ["Reply", "main"]

# Index of a call in the list that was sent, and its traffic or error.
Reply = tuple[int, Traffic | Exception]


class _Pickler(pickle.Pickler):
    """Pickles errors without the functions that pywren registers in `copyreg` for them.

    The parent process could only read such pickles with pywren imported.
    """

    dispatch_table = {  # noqa: RUF012, pickle looks for a plain class attribute
        kind: reduce
        for kind, reduce in copyreg.dispatch_table.items()
        if not issubclass(kind, BaseException)
    }


def main() -> None:
    """Run calls from the standard input until its other end is closed.

    The first request is a folder for files and the number of workers; each other request is a list
    of calls. Requests arrive pickled, and pickled replies go to the standard output.
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
    """Return the standard output, and send everything that is printed later to the null device."""
    replies = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    # If a worker kept it open, the parent would not see that this process has ended.
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
    """Import pywren so that it writes its files to a folder."""
    tempfile.tempdir = folder  # pywren reads it on import
    pywren = import_pywren()
    tempfile.tempdir = None
    return pywren


def _run(function_executor: Any, calls: Sequence[Call]) -> Iterator[Reply]:
    local = LocalCalls(function_executor, calls)
    try:
        yield from local.outcomes(_pause)
    except LostWorkerError as error:
        yield -1, error
    except EOFError:
        local.cancel()  # otherwise the workers would first run all calls in their queue
        raise


def _pause(seconds: float) -> None:
    """Wait; stop the program if the parent closes the standard input, which has no request now."""
    readable, _, _ = select.select([sys.stdin], [], [], seconds)
    if readable:
        raise EOFError


def _end(function_executor: Any, folder: str) -> None:
    close(function_executor)
    shutil.rmtree(folder, ignore_errors=True)  # the parent may be gone, and cannot remove it then
    # Exit at once: multiprocessing would wait until calls are read that are still in the queue of
    # the workers, which have ended.
    os._exit(0)
