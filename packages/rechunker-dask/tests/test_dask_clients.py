"""Plans and clients: asynchronous ones, those that are sent along, futures that are held."""

from __future__ import annotations

import asyncio
import os
import pickle
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
import zarr
from distributed import Client, LocalCluster, get_client

from rechunker import CopyError, Rechunked, rechunk
from rechunker_dask import DaskExecutor


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(tmp_path / "s", shape=(60, 50), chunks=(1, 50), dtype="i4")
    array[...] = np.arange(3000).reshape(60, 50) + 1
    return array


def plan(source: Any, place: Path, executor: Any = "dask") -> Rechunked[Any]:
    places: dict[str, Any] = {"target_store": place / "target", "temp_store": place / "temp"}
    return rechunk(source, (60, 1), 2000, executor=executor, **places)


def test_an_asynchronous_client_is_waited_for_beside_its_loop(
    cluster: LocalCluster, source: zarr.Array[Any], tmp_path: Path
) -> None:
    async def execute() -> Any:
        async with Client(cluster.scheduler_address, asynchronous=True) as client:
            rechunked = plan(source, tmp_path)
            assert DaskExecutor().workers == DaskExecutor(client).workers == 2
            with pytest.raises(RuntimeError, match=r"call await rechunked\.execute_async\(\)"):
                rechunked.execute()
            seen: list[tuple[int, ...]] = []
            target = await rechunked.execute_async(
                retries=1, progress=lambda *state: seen.append(state)
            )
            did = rechunked.traffic
            assert did is not None
            assert seen[-1] == (did.tasks, did.tasks, did.bytes_read + did.bytes_written)
            return target

    np.testing.assert_array_equal(asyncio.run(execute())[...], source[...])


def executed(rechunked: Rechunked[Any]) -> tuple[int, int]:
    """Execute a plan on a worker; its id, and the tasks done."""
    rechunked.execute(scheduler="synchronous")
    assert rechunked.traffic is not None
    return os.getpid(), rechunked.traffic.tasks


def test_a_plan_with_a_client_is_sent_to_a_worker(
    client: Client, source: zarr.Array[Any], tmp_path: Path
) -> None:
    rechunked = plan(source, tmp_path, DaskExecutor(client))
    process, tasks = client.submit(executed, rechunked).result()
    assert process != os.getpid()
    assert tasks == sum(stage.tasks for stage in rechunked.copy_plan[""].stages)
    copy = pickle.loads(pickle.dumps(plan(source, tmp_path / "other", DaskExecutor(client))))
    assert (copy.executor.scheduler, copy.executor.workers) == ("distributed", 2)
    np.testing.assert_array_equal(copy.execute()[...], source[...])


def test_a_plan_that_failed_is_submitted_again(
    client: Client, source: zarr.Array[Any], tmp_path: Path
) -> None:
    chunk = tmp_path / "s" / "c" / "7" / "0"
    good = chunk.read_bytes()
    chunk.write_bytes(b"nonsense")
    rechunked = plan(source, tmp_path)
    held = client.compute(rechunked.plan)
    with pytest.raises(CopyError, match="nonsense|begin"):
        held.result()
    chunk.write_bytes(good)
    again = client.compute(rechunked.plan)  # while the error is still held
    again.result()
    assert held.status == "error"
    target: Any = zarr.open_array(tmp_path / "target", mode="r")
    np.testing.assert_array_equal(target[...], source[...])


def test_the_address_of_a_scheduler_connects(
    cluster: LocalCluster, source: zarr.Array[Any], tmp_path: Path
) -> None:
    executor = DaskExecutor(cluster.scheduler_address)
    with executor.scheduler:
        assert (executor.workers, executor.shares_memory) == (2, False)
        rechunked = plan(source, tmp_path, executor)
        np.testing.assert_array_equal(rechunked.execute()[...], source[...])
        assert executor.scheduler.scheduler.address == cluster.scheduler_address
        with pytest.raises(ValueError, match="No global client"):
            get_client()  # it is not the default of anything else


def test_nobody_at_an_address_is_an_error_when_the_executor_is_made() -> None:
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(OSError, match="127.0.0.1:9"),
    ):
        DaskExecutor("tcp://127.0.0.1:9")
