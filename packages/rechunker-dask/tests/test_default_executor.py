"""The default executor: Dask's, unless its tasks cannot reach a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import zarr
from zarr.storage import MemoryStore

import rechunker


def chosen(source: Any, target: Any, temp: Any = None) -> str:
    planned = rechunker.rechunk(source, (40, 4), "100kB", target, temp_store=temp)
    if planned.target is not None:
        np.testing.assert_array_equal(planned.execute()[...], np.ones((40, 40)))
    return type(planned.executor).__name__


def test_stores_in_memory_are_left_to_the_executor_of_this_process(tmp_path: Path) -> None:
    source = zarr.ones(store=tmp_path / "s", shape=(40, 40), chunks=(4, 40))
    assert chosen(source, tmp_path / "t") == "DaskExecutor"
    assert chosen(da.ones((40, 40), chunks=(4, 40)), tmp_path / "u") == "DaskExecutor"
    assert chosen(source, {}) == "PythonExecutor"
    assert chosen(source, "memory://default/t") == "PythonExecutor"
    assert chosen(source, tmp_path / "v", temp={}) == "PythonExecutor"
    within = zarr.ones(store=MemoryStore(), shape=(40, 40), chunks=(4, 40))
    assert chosen(within, tmp_path / "w") == "PythonExecutor"
