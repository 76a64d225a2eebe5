"""Progress of a plan: the batches that are done, as Dask's schedulers tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from dask.callbacks import Callback
from dask.delayed import Delayed

from rechunker.running import Progress, Reporter, reporter
from rechunker_dask.engine import client_of
from rechunker_dask.graph import batches_of, keys_of_calls

__all__ = ["followed"]


@contextmanager
def followed(plan: Delayed, progress: Progress, scheduler: Any) -> Iterator[Any]:
    """Show the progress of a plan that is computed within the context.

    Parameters
    ----------
    plan
        The plan.
    progress
        What the user wants to see.
    scheduler
        Anything that `dask.compute` takes as `scheduler`; None for Dask's current default.

    Yields
    ------
    object
        What to give to `dask.compute` as `scheduler`.
    """
    with reporter(progress, [batches_of(plan)]) as report:
        if not report.wanted:
            yield scheduler
            return
        keys, client = keys_of_calls(plan), client_of(scheduler)
        if client is not None:
            yield partial(_get, client, keys, report)
            return
        ours = frozenset(keys)

        def done(key: Any, traffic: Any, *_: Any) -> None:
            if key in ours:  # the schedulers of this process tell everybody of all keys
                report(traffic)

        with Callback(posttask=done):
            yield scheduler


def _get(
    client: Any, batches: Sequence[Any], report: Reporter, graph: Any, keys: Any, **kwargs: Any
) -> Any:
    """Do the same as the method `get` of a client, and report each batch that is done."""
    from distributed import as_completed, futures_of  # an optional dependency

    wanted, waiting = client.get(graph, [keys, list(batches)], sync=False, **kwargs)
    try:
        for future, traffic in as_completed(waiting, loop=client.loop, with_results=True):
            future.release()  # from now on, the cluster keeps it for those who need it alone
            report(traffic)
        return client.gather(wanted)
    finally:
        # An error may keep this frame alive, and with it the futures.
        for future in futures_of([wanted, waiting]):
            future.release()
