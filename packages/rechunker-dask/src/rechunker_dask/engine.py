"""What dask would compute a graph with, as far as that is known before it does."""

from __future__ import annotations

import sys
from typing import Any

import dask
from dask.system import CPU_COUNT

__all__ = ["count_workers", "is_local", "worker_limits"]

SYNCHRONOUS = ("sync", "synchronous", "single-threaded")
LOCAL = ("threads", "threading", *SYNCHRONOUS)


def is_local(scheduler: Any) -> bool:
    """Say whether a scheduler, as `dask.compute` takes it, runs tasks in this process alone.

    Examples
    --------
    >>> is_local("threads"), is_local("processes"), is_local(None)
    (True, False, False)
    """
    return isinstance(scheduler, str) and scheduler.lower() in LOCAL


def count_workers(scheduler: Any = None) -> int:
    """Return how many tasks a scheduler runs at a time.

    Parameters
    ----------
    scheduler
        As `dask.compute` takes it; None for the one in force.

    Examples
    --------
    >>> count_workers("synchronous")
    1
    """
    chosen = _chosen(scheduler)
    if isinstance(chosen, str) and chosen.lower() in SYNCHRONOUS:
        return 1
    client = _client(chosen)
    threads = sum(client.nthreads().values()) if client else 0
    return threads or dask.config.get("num_workers", None) or CPU_COUNT


def worker_limits(scheduler: Any = None) -> list[tuple[int, int]]:
    """Return threads, and bytes of memory, of workers of a cluster; without one there are none.

    Parameters
    ----------
    scheduler
        As `dask.compute` takes it; None for the one in force.
    """
    client = _client(_chosen(scheduler))
    # Some versions tell of no more than five workers, which do for a look at their sizes.
    workers = client.scheduler_info()["workers"].values() if client else ()
    return [(w["nthreads"], w["memory_limit"]) for w in workers if w["memory_limit"]]


def _chosen(scheduler: Any) -> Any:
    return scheduler if scheduler is not None else dask.config.get("scheduler", None)


def _client(scheduler: Any) -> Any:
    """Return the client that a graph would be computed with; None if there is none to be asked."""
    distributed = sys.modules.get("distributed")  # without it there is no client
    if distributed is None:
        return None
    client = scheduler
    if scheduler is None or scheduler in ("distributed", "dask.distributed"):
        try:
            client = distributed.get_client()
        except ValueError:
            return None
    if not isinstance(client, distributed.Client) or client.asynchronous:
        return None
    return client
