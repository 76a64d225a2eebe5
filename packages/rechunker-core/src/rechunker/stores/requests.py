"""Requests: coroutines of stores, run from any thread, and tried again after passing errors."""

from __future__ import annotations

import asyncio
import errno
import logging
import random
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from zarr.abc.store import Store
from zarr.storage import LocalStore, MemoryStore, ZipStore

__all__ = ["again", "ask", "is_passing", "retried", "run", "side_by_side", "take_retries", "until"]

S = TypeVar("S")
T = TypeVar("T")

# Retries of a request, and seconds before the first of them; doubled for each further one. A client
# that has tried for as long as this by itself is not asked to try again.
RETRIES = 6
FIRST_PAUSE = 0.1
PATIENCE = 30.0
# Items that a function is called for at the same time.
AT_ONCE = 16
# Seconds between two looks whether somebody still waits for the request.
_LOOK = 0.05

# Stores in the memory or on a disk of this machine, whose errors do not pass by themselves.
_LOCAL = (LocalStore, MemoryStore, ZipStore)
# Error numbers of the operating system, which s3fs uses as well: EIO and EBUSY stand for internal
# errors and for "slow down" (s3fs.errors).
_NUMBERS = frozenset(
    getattr(errno, name)
    for name in (
        *("EIO", "EBUSY", "EAGAIN", "EINTR", "ETIMEDOUT", "EPIPE", "ECONNRESET", "ECONNABORTED"),
        *("ECONNREFUSED", "ENETDOWN", "ENETUNREACH", "ENETRESET", "EHOSTUNREACH", "EHOSTDOWN"),
    )
    if hasattr(errno, name)
)
# Answers of servers: https://www.rfc-editor.org/rfc/rfc9110#status.codes, and 429 of RFC 6585.
_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
# Errors of clients that are no OSError, by package and name.
_ERRORS = frozenset(
    {
        ("aiohttp", "ClientConnectionError"),
        ("aiohttp", "ClientPayloadError"),
        ("azure", "ServiceRequestError"),
        ("azure", "ServiceResponseError"),
        ("botocore", "ConnectionError"),
        ("botocore", "HTTPClientError"),
        ("http", "IncompleteRead"),
        ("obstore", "GenericError"),
        ("requests", "ConnectionError"),
        ("requests", "Timeout"),
        ("urllib3", "HTTPError"),
    }
)

log = logging.getLogger("rechunker.stores")


class _OfThread(threading.local):
    """What a thread knows: its retries since they were last taken, and whether it is to stop."""

    def __init__(self) -> None:
        self.retries = 0
        self.is_stopped: Callable[[], bool] = lambda: False


_thread = _OfThread()


def take_retries() -> int:
    """Return the number of requests that this thread has repeated since the last call."""
    retries, _thread.retries = _thread.retries, 0
    return retries


@contextmanager
def until(is_stopped: Callable[[], bool]) -> Iterator[None]:
    """Let this thread not try a request again, within a context, once a function returns true."""
    before, _thread.is_stopped = _thread.is_stopped, is_stopped
    try:
        yield
    finally:
        _thread.is_stopped = before


def is_passing(error: BaseException) -> bool:
    """Return whether what a store has raised may pass by itself: the same request may work later.

    Examples
    --------
    >>> is_passing(ConnectionResetError()), is_passing(FileNotFoundError("key"))
    (True, False)
    """
    if isinstance(error, TimeoutError | ConnectionError | EOFError):
        return True
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        return True
    answers = (getattr(error, name, None) for name in ("status", "status_code", "code"))
    if next((answer for answer in answers if answer is not None), None) in _STATUSES:
        return True
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
    return not kinds.isdisjoint(_ERRORS)


class _Patience:
    """How often a request has been repeated, and how long to wait before the next time."""

    def __init__(self, store: Store) -> None:
        self.retries = 0
        self._began = time.monotonic()
        self._most = 0 if type(store) in _LOCAL else RETRIES

    def pause_after(self, error: Exception, is_stopped: Callable[[], bool]) -> float:
        """Return the seconds to wait before the next attempt.

        Workers that were refused at the same time must not come back at the same time.

        Raises
        ------
        Exception
            The error, if there is to be no further attempt.
        """
        is_late = time.monotonic() - self._began > PATIENCE
        if self.retries >= self._most or is_late or is_stopped() or not is_passing(error):
            raise error
        self.retries += 1
        log.warning("retry %d of %d after %s", self.retries, self._most, type(error).__name__)
        return float(FIRST_PAUSE * 2 ** (self.retries - 1) * random.uniform(0.5, 1.0))


async def again(
    store: Store,
    request: Callable[[], Coroutine[Any, Any, T]],
    is_stopped: Callable[[], bool] = lambda: False,
    note: Callable[[], object] = lambda: None,
) -> T:
    """Make a request, and repeat it after errors that may pass.

    Parameters
    ----------
    store
        Store that is asked; those in memory or on a disk are asked once.
    request
        Returns a coroutine that makes the request; it may be called several times.
    is_stopped
        Returns true if nobody waits for the request any more.
    note
        Called before each retry.
    """
    patience = _Patience(store)
    while True:
        try:
            return await request()
        except Exception as error:  # noqa: BLE001 - raised again unless it may pass
            pause = patience.pause_after(error, is_stopped)
        note()
        for seconds in _parts(pause, is_stopped):
            await asyncio.sleep(seconds)


def ask(store: Store, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Make a request from any thread, repeat it after errors that may pass, return its result."""
    thread, is_over, counted = _thread.is_stopped, threading.Event(), [0]

    def is_stopped() -> bool:
        return is_over.is_set() or thread()

    def note() -> None:
        counted[0] += 1

    try:
        return run(again(store, request, is_stopped, note), is_over.set)
    finally:
        _thread.retries += counted[0]


def side_by_side(store: Store, function: Callable[[S], T], items: Iterable[S]) -> list[T]:
    """Return the results of a function that makes requests, for several items at the same time.

    Parameters
    ----------
    store
        Store that is asked; for those in memory or on a disk, one call follows the other.
    function
        The function.
    items
        Its arguments.
    """
    if type(store) in _LOCAL:
        return [function(item) for item in items]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(function, items))


def retried(store: Store, function: Callable[[], T]) -> T:
    """Call a function that makes requests by itself, and repeat it after errors that may pass."""
    patience, is_stopped = _Patience(store), _thread.is_stopped
    while True:
        try:
            return function()
        except Exception as error:  # noqa: BLE001 - raised again unless it may pass
            pause = patience.pause_after(error, is_stopped)
        _thread.retries += 1
        for seconds in _parts(pause, is_stopped):
            time.sleep(seconds)


def _parts(pause: float, is_stopped: Callable[[], bool]) -> Iterator[float]:
    """Yield the parts of a pause, until it is over or nobody waits any more."""
    end = time.monotonic() + pause
    while not is_stopped() and (left := end - time.monotonic()) > 0:
        yield min(left, _LOOK)


def run(coroutine: Coroutine[Any, Any, T], stop: Callable[[], object] = lambda: None) -> T:
    """Run a coroutine of a store on Zarr's event loop and return its result.

    Remote filesystems bind their connections to the first loop that uses them, which is Zarr's.
    There is no public way to run a coroutine on it (zarr 3.1.6 to 3.4.2). An interrupt leaves the
    coroutine running there, so wait for it: nothing may be written once an execution has ended.

    Parameters
    ----------
    coroutine
        The coroutine.
    stop
        Called after an interrupt, before waiting.
    """
    from zarr.core.sync import sync

    job = _Job(coroutine)
    try:
        return sync(job.run())
    except KeyboardInterrupt:
        stop()
        job.cancel()
        raise


class _Job(Generic[T]):
    """A coroutine that runs in an event loop, seen from another thread."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._is_cancelled = self._has_begun = False
        self._has_ended = threading.Event()

    async def run(self) -> T:
        self._has_begun = True
        try:
            if self._is_cancelled:
                self._coroutine.close()
                raise asyncio.CancelledError
            return await self._coroutine
        finally:
            self._has_ended.set()

    def cancel(self) -> None:
        """Do not begin if it has not begun; otherwise wait for its end."""
        self._is_cancelled = True
        if self._has_begun:
            self._has_ended.wait()
