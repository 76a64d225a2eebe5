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
from contextvars import ContextVar
from itertools import chain
from typing import Any, Generic, TypeVar

from zarr.abc.store import Store
from zarr.storage import LocalStore, MemoryStore, ZipStore

from rechunker.thread_context import stopping, until

__all__ = [
    "again",
    "ask",
    "is_passing",
    "is_quick",
    "retried",
    "run",
    "side_by_side",
    "take_retries",
]

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
# Error numbers of the operating system. s3fs uses them as well: EREMOTEIO for internal errors of
# the server, EBUSY for "slow down", and EIO for whatever it does not know (s3fs.errors).
_NUMBERS = frozenset(
    getattr(errno, name)
    for name in (
        *("EIO", "EREMOTEIO", "EBUSY", "EAGAIN", "EINTR", "ETIMEDOUT", "EPIPE", "ECONNRESET"),
        *("ECONNABORTED", "ECONNREFUSED", "ENETDOWN", "ENETUNREACH", "ENETRESET"),
        *("EHOSTUNREACH", "EHOSTDOWN"),
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
    """The retries of a thread since they were last taken; whether it works side by side."""

    def __init__(self) -> None:
        self.retries = 0
        self.is_one_of_many = False


class _Waiting:
    """A thread that waits for requests."""

    def __init__(self, is_stopped: Callable[[], bool] = lambda: False) -> None:
        self.retries = 0
        self.is_over = False
        self._is_stopped = is_stopped

    @property
    def has_stopped(self) -> bool:
        """Whether it does not wait any more, or is to stop."""
        return self.is_over or self._is_stopped()


_thread = _OfThread()
# The thread that waits for what a coroutine does: the loop runs it in a copy of its context.
_waiting: ContextVar[_Waiting] = ContextVar("waiting")


def take_retries() -> int:
    """Return the number of requests that this thread has repeated since the last call."""
    retries, _thread.retries = _thread.retries, 0
    return retries


def is_passing(error: BaseException) -> bool:
    """Return whether what a store has raised may pass by itself: the same request may work later.

    Examples
    --------
    >>> is_passing(ConnectionResetError()), is_passing(FileNotFoundError("key"))
    (True, False)
    """
    if isinstance(error, TimeoutError | ConnectionError | EOFError):
        return True
    status = _status(error)
    if status is not None:
        return status in _STATUSES
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        return True
    kinds = {(kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__}
    return not kinds.isdisjoint(_ERRORS)


def _status(error: BaseException) -> int | None:
    """Return the status of the answer of a server that an error is about; None without any."""
    response = getattr(error.__cause__, "response", None)  # s3fs raises errors of its own
    metadata = response.get("ResponseMetadata") if isinstance(response, dict) else None
    answers = [metadata.get("HTTPStatusCode")] if isinstance(metadata, dict) else []
    # One after the other: some are deprecated.
    others = (getattr(error, name, None) for name in ("status", "status_code", "code"))
    return next((found for found in chain(answers, others) if isinstance(found, int)), None)


def is_quick(store: Store) -> bool:
    """Return whether a store is in memory, or on a disk of this machine: nobody waits for it."""
    return type(store) in _LOCAL


class _Patience:
    """How often a request has been repeated, and how long to wait before the next time."""

    def __init__(self, store: Store, waiting: _Waiting) -> None:
        self._waiting = waiting
        self._retries = 0
        self._began = time.monotonic()
        self._most = 0 if is_quick(store) else RETRIES

    def pauses_after(self, error: Exception) -> Iterator[float]:
        """Yield the seconds to wait before the next attempt, in parts.

        Workers that were refused at the same time must not come back at the same time.

        Raises
        ------
        Exception
            The error, if there is to be no further attempt.
        """
        is_late = time.monotonic() - self._began > PATIENCE
        is_last = self._retries >= self._most or is_late or self._waiting.has_stopped
        if is_last or not is_passing(error):
            raise error
        pause = _pause(self._retries)
        self._retries += 1
        log.warning("retry %d of %d after %s", self._retries, self._most, type(error).__name__)
        end = time.monotonic() + pause
        while not self._waiting.has_stopped and (left := end - time.monotonic()) > 0:
            yield min(left, _LOOK)
        if self._waiting.has_stopped:
            raise error
        self._waiting.retries += 1


def _pause(retries: int) -> float:
    return float(FIRST_PAUSE * 2**retries * random.uniform(0.5, 1.0))


async def again(store: Store, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Make a request, and repeat it after errors that may pass.

    Parameters
    ----------
    store
        Store that is asked; those in memory or on a disk are asked once.
    request
        Returns a coroutine that makes the request; it may be called several times.
    """
    patience = _Patience(store, _waiting.get(_Waiting()))
    while True:
        try:
            return await request()
        except Exception as error:  # noqa: BLE001 - raised again unless it may pass
            pauses = patience.pauses_after(error)
            for seconds in pauses:
                await asyncio.sleep(seconds)


def ask(store: Store, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Make a request from any thread, repeat it after errors that may pass, return its result."""
    return run(again(store, request))


def side_by_side(store: Store, function: Callable[[S], T], items: Iterable[S]) -> list[T]:
    """Return the results of a function that makes requests, for several items at the same time.

    Parameters
    ----------
    store
        Store that is asked; for those in memory or on a disk, one call follows the other.
    function
        The function. What it does side by side in turn is done one after the other.
    items
        Its arguments.
    """
    items = list(items)
    if is_quick(store) or len(items) < 2 or _thread.is_one_of_many:
        return [function(item) for item in items]
    is_stopped, has_failed = stopping(), threading.Event()

    def call(item: S) -> tuple[T, int]:
        with until(lambda: has_failed.is_set() or is_stopped()):
            return function(item), take_retries()

    with ThreadPoolExecutor(AT_ONCE, initializer=_be_one_of_many) as pool:
        try:
            done = list(pool.map(call, items))
        except BaseException:
            has_failed.set()
            raise
    _thread.retries += sum(retries for _, retries in done)
    return [result for result, _ in done]


def _be_one_of_many() -> None:
    _thread.is_one_of_many = True


def retried(store: Store, function: Callable[[], T]) -> T:
    """Call a function that makes requests by itself, and repeat it after errors that may pass."""
    waiting = _Waiting(stopping())
    patience = _Patience(store, waiting)
    try:
        while True:
            try:
                return function()
            except Exception as error:  # noqa: BLE001 - raised again unless it may pass
                for seconds in patience.pauses_after(error):
                    time.sleep(seconds)
    finally:
        _thread.retries += waiting.retries


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of a store on Zarr's event loop and return its result.

    Remote filesystems bind their connections to the first loop that uses them, which is Zarr's.
    There is no public way to run a coroutine on it (zarr 3.1.6 to 3.4.2). An interrupt leaves the
    coroutine running there, so wait for it: nothing may be written once an execution has ended.
    """
    from zarr.core.sync import sync

    job, waiting = _Job(coroutine), _Waiting(stopping())
    token = _waiting.set(waiting)
    try:
        return sync(job.run())
    except KeyboardInterrupt:
        waiting.is_over = True
        job.cancel()
        raise
    finally:
        _waiting.reset(token)
        _thread.retries += waiting.retries


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
