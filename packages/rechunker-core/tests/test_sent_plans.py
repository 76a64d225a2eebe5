"""A whole plan can be sent to another process, or be executed beside an event loop."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import rechunker
from rechunker.stores import CLAIM
from rechunker.types import Executor

EXECUTE = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).execute().shape)"


def make(path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(path, shape=(40, 40), chunks=(4, 40), dtype="f8")
    array[...] = np.arange(1600).reshape(40, 40)
    return array


def planned(folder: Path, executor: str | Executor[Any] = "python") -> rechunker.Rechunked[Any]:
    source = make(folder / "source")
    target, temp = folder / "target", folder / "temp"
    return rechunker.rechunk(source, (40, 4), "8kB", target, temp_store=temp, executor=executor)


def test_another_process_executes_it(tmp_path: Path) -> None:
    (tmp_path / "plan").write_bytes(pickle.dumps(planned(tmp_path)))
    command = [sys.executable, "-c", EXECUTE, str(tmp_path / "plan")]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "(40, 40)\n"
    target, source = (zarr.open_array(tmp_path / name) for name in ("target", "source"))
    np.testing.assert_array_equal(target[...], source[...])


def test_what_lives_in_memory_is_not_sent(tmp_path: Path) -> None:
    array = make(tmp_path / "source")
    places: list[tuple[Any, Any]] = [({}, tmp_path / "temp"), (tmp_path / "target", {})]
    for target, temp in places:
        plan = rechunker.rechunk(array, (40, 4), "8kB", target, temp_store=temp, executor="python")
        with pytest.raises(ValueError, match="lives in the memory of this process, so a copy of"):
            pickle.dumps(plan)


def test_a_loop_goes_on_beside_it(tmp_path: Path) -> None:
    async def both() -> Any:
        plan = planned(tmp_path)
        execution = asyncio.ensure_future(plan.execute_async(verify=True))
        await asyncio.sleep(0)
        assert not execution.done()
        return await execution

    assert asyncio.run(both())[39, 39] == 1599


@pytest.mark.parametrize("threads", [1, 8])
def test_what_is_cancelled_ends(tmp_path: Path, threads: int) -> None:
    done: list[int] = []

    async def cancel() -> None:
        def progress(number: int, total: int, nbytes: int) -> None:
            done.append(number)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.3), loop).result()

        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(threads))  # the run may have all of them
        execution = asyncio.ensure_future(planned(tmp_path).execute_async(progress=progress))
        while not done:
            await asyncio.sleep(0.01)
        execution.cancel()
        await execution

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    assert len(done) < 20
    assert not (tmp_path / "target" / CLAIM).exists()
    assert not (tmp_path / "target" / "zarr.json").exists()
