"""Zarr arrays whose chunks differ in size are sources, where zarr can open them at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import rechunker

GRID: Any = ((3, 5, 2), (4, 1, 4))


def allowed() -> Any:
    return zarr.config.set({"array.rectilinear_chunks": True})


def make(path: Path) -> zarr.Array[Any]:
    with allowed():
        array = zarr.create_array(path, shape=(10, 9), chunks=GRID, dtype="i4")
        array[...] = np.arange(90).reshape(10, 9) + 1
        return array


def can_be_made(path: Path) -> bool:
    """Tell whether this version of zarr has them: 3.1 does not."""
    try:
        make(path)
    except TypeError:
        return False
    return True


def rechunk(path: Path, chunks: Any, max_mem: int | str = "1MB") -> rechunker.Rechunked[Any]:
    source, target = make(path / "s"), path / "t"
    return rechunker.rechunk(source, chunks, max_mem, target, temp_store={}, executor="python")


@pytest.mark.parametrize("max_mem", [1400, "1MB"])
def test_source(tmp_path: Path, max_mem: Any) -> None:
    if not can_be_made(tmp_path / "probe"):
        assert not hasattr(zarr.Array, "read_chunk_sizes")
        return
    plan = rechunk(tmp_path, (2, 9), max_mem)
    target = plan.execute()
    np.testing.assert_array_equal(target[...], np.arange(90).reshape(10, 9) + 1)
    assert plan.copy_plan[""].read_amplification == 1.0


@pytest.mark.parametrize("chunks", [None, GRID])
def test_not_as_target(tmp_path: Path, chunks: Any) -> None:
    if not can_be_made(tmp_path / "probe"):
        assert not hasattr(zarr.Array, "read_chunk_sizes")
        return
    with pytest.raises((TypeError, ValueError), match="target_chunks"):
        rechunk(tmp_path, chunks)
