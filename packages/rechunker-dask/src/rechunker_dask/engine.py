"""Calls into Dask about the scheduler that computes a graph, and about its workers."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from math import inf
from typing import Any

import dask
from dask.system import CPU_COUNT

from rechunker.running import Execution, refuse_keywords

__all__ = [
    "check_keywords",
    "check_thread",
    "client_of",
    "connected",
    "count_workers",
    "ended",
    "is_client",
    "is_local",
    "worker_limits",
]

SYNCHRONOUS = ("sync", "synchronous", "single-threaded")
LOCAL = ("threads", "threading", *SYNCHRONOUS)
# Keywords of `dask.compute`, of the schedulers of one machine, and of `distributed.Client.get`.
KEYWORDS = (
    *("scheduler", "optimize_graph", "traverse"),
    *("num_workers", "pool", "cache", "chunksize", "initializer", "rerun_exceptions_locally"),
    *("workers", "allow_other_workers", "resources", "priority", "fifo_timeout", "actors"),
    "direct",
)


def is_local(scheduler: Any) -> bool:
    """Return whether a scheduler runs all tasks in this process.

    Parameters
    ----------
    scheduler
        Anything that `dask.compute` takes as `scheduler`.

    Examples
    --------
    >>> is_local("threads"), is_local("processes"), is_local(None)
    (True, False, False)
    """
    return isinstance(scheduler, str) and scheduler.lower() in LOCAL


def connected(scheduler: Any) -> Any:
    """Return a client of the cluster whose address is given; anything else as it is.

    Parameters
    ----------
    scheduler
        Address such as ``"tcp://host:8786"``, or anything that `dask.compute` takes as `scheduler`.

    Raises
    ------
    ImportError
        If dask.distributed is not installed.
    OSError
        If no scheduler answers at the address.
    """
    if not (isinstance(scheduler, str) and "://" in scheduler):
        return scheduler
    try:
        from distributed import Client
    except ImportError as error:
        if error.name != "distributed":
            raise
        raise ImportError(
            f"the address of a scheduler, {scheduler!r}, needs dask.distributed: "
            "pip install rechunker-dask[distributed]",
            name="distributed",
        ) from error
    return Client(scheduler, set_as_default=False)


def count_workers(scheduler: Any = None) -> int:
    """Return the number of tasks that a scheduler runs at a time.

    Of a cluster that adapts to its load it is the number at its largest.

    Parameters
    ----------
    scheduler
        Anything that `dask.compute` takes as `scheduler`; None for Dask's current default.

    Examples
    --------
    >>> count_workers("synchronous")
    1
    """
    chosen = _chosen(scheduler)
    if isinstance(chosen, str) and chosen.lower() in SYNCHRONOUS:
        return 1
    client = _any_client(chosen)
    threads = 0
    if client is not None:
        threads = max(_threads_of(client), _adaptive_threads(client))
    return threads or dask.config.get("num_workers", None) or CPU_COUNT


def _threads_of(client: Any) -> int:
    """Return how many threads the cluster of a client has now."""
    # In its own event loop, a client knows only what the scheduler has told it before.
    if client.asynchronous:
        return int(client.scheduler_info().get("total_threads") or 0)
    return sum(client.nthreads().values())


def _adaptive_threads(client: Any) -> int:
    """Return how many threads the cluster of a client grows to; 0 if it does not say."""
    # There is no public name for how a cluster adapts (distributed 2026.8.0).
    adaptive = getattr(client.cluster, "_adaptive", None)
    most = getattr(adaptive, "maximum", inf)
    if adaptive is None or most == inf:
        return 0
    new = (getattr(client.cluster, "new_spec", None) or {}).get("options", {})
    now = [] if client.asynchronous else client.nthreads().values()
    each = max([*now, new.get("nthreads") or 1])
    threads: int = int(most) * each
    return threads


def worker_limits(scheduler: Any = None) -> list[tuple[int, int]]:
    """Return the threads and the memory limit of workers of a cluster.

    Parameters
    ----------
    scheduler
        Anything that `dask.compute` takes as `scheduler`; None for Dask's current default.

    Returns
    -------
    list of tuple
        Number of threads and memory limit in bytes of each worker that has a limit; empty without
        a cluster.
    """
    client = _client(_chosen(scheduler))
    # Some versions of distributed report at most five workers, which is enough to see their sizes.
    workers = client.scheduler_info()["workers"].values() if client else ()
    return [(w["nthreads"], w["memory_limit"]) for w in workers if w["memory_limit"]]


@contextmanager
def ended(execution: Execution, scheduler: Any = None) -> Iterator[None]:
    """End an execution if an error leaves the context: nothing of it runs afterwards.

    Dask raises the first error at once, while other workers go on with their batches. Its cluster
    starts no more of them, as nobody waits for their results, but it cannot stop those that run.

    Parameters
    ----------
    execution
        The execution, which the batches know.
    scheduler
        Anything that `dask.compute` takes as `scheduler`; None for Dask's current default.
    """
    client = _client(_chosen(scheduler))
    try:
        with execution.ended():
            yield
    except BaseException:
        if client is not None:
            # A cluster that is lost cannot be asked; the claim on the target is for this case.
            with suppress(Exception):
                client.run(execution.end_in_loop, on_error="ignore")
        raise


def is_client(scheduler: Any) -> bool:
    """Return whether a scheduler is a client of a cluster, or the method `get` of one.

    Parameters
    ----------
    scheduler
        Anything that `dask.compute` takes as `scheduler`.
    """
    if sys.modules.get("distributed") is None:
        return False
    import distributed  # another thread may be about to import it

    return isinstance(getattr(scheduler, "__self__", scheduler), distributed.Client)


def check_keywords(keywords: Mapping[str, Any], scheduler: Any) -> None:
    """Check the keywords of an execution, since the schedulers of Dask ignore those of others.

    Parameters
    ----------
    keywords
        Keyword arguments of `dask.compute`.
    scheduler
        Anything that `dask.compute` takes as `scheduler`.

    Raises
    ------
    TypeError
        If no scheduler of Dask knows one of them, and users do not bring their own.
    """
    if not callable(scheduler) or is_client(scheduler):
        unknown = {name: value for name, value in keywords.items() if name not in KEYWORDS}
        refuse_keywords("dask", unknown, ("progress", "retries", *KEYWORDS))


def check_thread(scheduler: Any = None) -> None:
    """Check that this thread can wait for the client that will compute a graph.

    Parameters
    ----------
    scheduler
        Anything that `dask.compute` takes as `scheduler`; None for Dask's current default.

    Raises
    ------
    RuntimeError
        If the client belongs to the event loop that runs in this thread.
    """
    client = client_of(scheduler)
    if client is not None and client.asynchronous:
        raise RuntimeError(
            "the Dask client is asynchronous, and waiting would stop the event loop that it needs; "
            "call await rechunked.execute_async()"
        )


def client_of(scheduler: Any = None) -> Any:
    """Return the client that will compute a graph; None if there is none.

    Parameters
    ----------
    scheduler
        Anything that `dask.compute` takes as `scheduler`; None for Dask's current default.
    """
    return _any_client(_chosen(scheduler))


def _chosen(scheduler: Any) -> Any:
    return scheduler if scheduler is not None else dask.config.get("scheduler", None)


def _client(scheduler: Any) -> Any:
    """Return the client that will compute a graph; None if there is none, or it is asynchronous."""
    client = _any_client(scheduler)
    return None if client is None or client.asynchronous else client


def _any_client(scheduler: Any) -> Any:
    """Return the client that will compute a graph; None if there is none."""
    if sys.modules.get("distributed") is None:
        return None  # nobody has made a client without importing it
    import distributed  # another thread may be about to import it

    client = getattr(scheduler, "__self__", scheduler)  # the client, for its method `get`
    if scheduler is None or scheduler in ("distributed", "dask.distributed"):
        try:
            client = distributed.get_client()
        except ValueError:
            return None
    return client if isinstance(client, distributed.Client) else None
