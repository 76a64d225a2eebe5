"""Dask arrays as sources, with blocks that may be futures on the cluster."""

from __future__ import annotations

from pathlib import Path
from time import sleep
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import Client

from rechunker import rechunk
from rechunker.plugins import get_executor


def made() -> da.Array:
    """Return an array that is not computed."""
    return da.arange(1, 3001, chunks=50).reshape(60, 50) + 1


def check(source: da.Array, place: Path, **kwargs: Any) -> None:
    rechunked = rechunk(
        source, (60, 1), "10kB", place / "target", temp_store=place / "temp", executor="dask"
    )
    target: Any = rechunked.execute(**kwargs)
    np.testing.assert_array_equal(target[...], np.arange(2, 3002).reshape(60, 50))
    assert rechunked.traffic is not None
    assert rechunked.traffic.bytes_read == (1 + rechunked.copy_plan[""].hops) * source.nbytes


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_arrays_that_are_not_computed(scheduler: str, tmp_path: Path) -> None:
    check(made(), tmp_path, scheduler=scheduler)


def test_arrays_that_are_not_computed_on_a_cluster(client: Client, tmp_path: Path) -> None:
    check(made(), tmp_path)


def test_persisted_arrays(client: Client, tmp_path: Path) -> None:
    check(made().persist(), tmp_path)


def test_arrays_computed_from_persisted_arrays(client: Client, tmp_path: Path) -> None:
    check((made() - 1).persist() + 1, tmp_path)


def late(block: Any) -> Any:
    sleep(0.5)
    return block


def test_arrays_that_are_being_computed(client: Client, tmp_path: Path) -> None:
    first = da.ones((20, 8), chunks=(1, 8)).map_blocks(late)
    source = first.rechunk((20, 2)).persist()  # every block depends on all blocks of `first`
    target: Any = rechunk(source, (5, 8), "10kB", tmp_path / "t", executor="dask").execute()
    assert (target[...] == 1).all()


def test_tasks_leave_no_futures_behind(client: Client, tmp_path: Path) -> None:
    source = made().persist()
    check(source, tmp_path)
    key = next(iter(source.__dask_graph__()))
    del source
    for _ in range(50):
        if str(key) not in map(str, client.run_on_scheduler(keys)):
            return
        sleep(0.1)
    pytest.fail("the cluster still holds the source")


def keys(dask_scheduler: Any) -> list[Any]:
    return list(dask_scheduler.tasks)


def test_executor_takes_futures() -> None:
    assert get_executor("dask").takes_futures
