"""In a thread: a call that an event loop waits for, and that can be cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")

# Seconds between two calls to stop.
_PAUSE = 0.2


async def in_thread(function: Callable[[], T], stop: Callable[[], object]) -> T:
    """Call a function in a thread, while the event loop goes on with other things.

    Parameters
    ----------
    function
        The function.
    stop
        Makes it end soon. If this is cancelled, it is called until the function has ended.

    Returns
    -------
    object
        What the function returns.
    """
    running = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        # The threads of the loop may all be busy with calls that are to be stopped.
        with ThreadPoolExecutor(1) as pool:
            while not running.done():
                with suppress(Exception):  # it is called again
                    await asyncio.get_running_loop().run_in_executor(pool, stop)
                await asyncio.wait([running], timeout=_PAUSE)
        running.exception()  # it is known to have been cancelled
        raise
