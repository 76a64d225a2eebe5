"""Alone: where one thread of a task does better than several."""

from __future__ import annotations

from zarr.abc.store import Store

from rechunker.stores import is_quick

__all__ = ["is_for_one"]

# Decoded bytes below which a request is little but Python, of which one thread runs at a time: with
# 400 bytes, two threads take 1.5 times as long as one, and with 40 kB 0.7 times (on two cores).
SMALL_REQUEST = 16 << 10
# Decoded bytes that a task reads or writes below which it takes longer to start threads.
SMALL_TASK = 1 << 19


def is_for_one(store: Store | None, nbytes: int, requests: int, tasks: int = 1) -> bool:
    """Return whether one thread is to read or write alone, as long as that is quick.

    Parameters
    ----------
    store
        Where the requests go; None if there is no store.
    nbytes
        Decoded bytes of all requests.
    requests
        Number of requests.
    tasks
        Number of tasks that share them.
    """
    is_small = nbytes < max(requests * SMALL_REQUEST, tasks * SMALL_TASK)
    return is_small and store is not None and is_quick(store)
