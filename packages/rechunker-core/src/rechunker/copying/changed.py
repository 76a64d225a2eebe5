"""Changes: what tasks write to the fork of a session goes back with their traffic."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace

from zarr.abc.store import Store

from rechunker.stores import ForkStore, SessionStore
from rechunker.types import Changes, Traffic

__all__ = ["with_changes"]


def with_changes(
    store: Store, stage: str, tasks: range, done: Generator[Traffic, None, None]
) -> Iterator[Traffic]:
    """Yield the traffic of tasks, that of the last one with what all have changed in a fork.

    Parameters
    ----------
    store
        Store that the tasks write to.
    stage
        Name of their stage.
    tasks
        Their numbers.
    done
        Runs them, and yields the traffic of each.
    """
    if not isinstance(store, ForkStore | SessionStore):
        yield from done
        return
    with closing(done):
        for task, traffic in zip(tasks, done, strict=True):
            store.note(stage, task)
            if isinstance(store, ForkStore) and task == tasks[-1]:
                traffic = replace(traffic, changes=(Changes(store.done, store.content()),))
            yield traffic
