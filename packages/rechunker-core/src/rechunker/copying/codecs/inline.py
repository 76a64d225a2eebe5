"""Coroutines of Zarr's codecs, run to their end in the thread that asks for the result."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["complete"]

T = TypeVar("T")


def complete(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing but computations, and return its result.

    Zarr's own event loop would compute in threads of its own, each of which keeps freed memory in
    a heap that `malloc_trim` does not shrink: the memory of one chunk for each of them.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(coroutine)
    with ThreadPoolExecutor(1) as pool:  # a notebook's thread has a loop that runs
        return pool.submit(_run, coroutine).result()


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_Here(1))
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


class _Here(ThreadPoolExecutor):
    """Calls functions in the calling thread."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the future hands it on
            future.set_exception(error)
        return future
