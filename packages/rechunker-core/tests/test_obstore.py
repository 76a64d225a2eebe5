"""Stores of obstore, which may keep the memory that they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import obstore.store
import pytest
import zarr
from zarr.storage import ObjectStore

from rechunker import rechunk


def memory() -> Any:
    return ObjectStore(obstore.store.MemoryStore())


def files(folder: Path) -> Any:
    folder.mkdir()
    return ObjectStore(obstore.store.LocalStore(str(folder)))


@pytest.mark.parametrize("places", ["temp in memory", "target in memory", "files"])
def test_what_is_stored_does_not_change_afterwards(places: str, tmp_path: Path) -> None:
    source = zarr.create_array(
        tmp_path / "s", shape=(400, 400), chunks=(4, 400), dtype="f8", compressors=None
    )
    source[...] = np.random.default_rng(0).random((400, 400))
    temp: Any = memory() if places == "temp in memory" else tmp_path / "x"
    target: Any = memory() if places == "target in memory" else tmp_path / "t"
    if places == "files":
        temp, target = files(tmp_path / "x"), files(tmp_path / "t")
    made = rechunk(source, (400, 4), "100kB", target, temp_store=temp, executor="python").execute()
    np.testing.assert_array_equal(made[...], source[...])


def test_an_old_target_is_replaced() -> None:
    store = memory()
    zarr.create_array(store, shape=(9,), chunks=(1,), dtype="i4")[...] = 5
    source = zarr.create_array({}, shape=(8,), chunks=(2,), dtype="f4")
    source[...] = 1
    options = {"overwrite": True}
    target = rechunk(source, (8,), "1MB", store, options, executor="python").execute()
    assert target[...].tolist() == [1.0] * 8  # type: ignore[union-attr]
