"""Every kind of store can be source, target and place of temporary objects."""

from __future__ import annotations

from collections import UserDict
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import zarr
from zarr.storage import FsspecStore, LocalStore, LoggingStore, MemoryStore, StorePath, ZipStore

import rechunker

KINDS: dict[str, Any] = {
    "path": lambda path: path,
    "text": str,
    "LocalStore": LocalStore,
    "StorePath": lambda path: StorePath(LocalStore(path), "deep/down"),
    "MemoryStore": lambda path: MemoryStore(),
    "dict": lambda path: {},
    "mapping": lambda path: UserDict(),
    "URL": lambda path: f"memory://{path}",
    "fsspec mapping": lambda path: fsspec.get_mapper(f"memory://{path}"),
    "fsspec files": lambda path: FsspecStore.from_url(
        f"local://{path}", storage_options={"auto_mkdir": True}
    ),
    "wrapped": lambda path: LoggingStore(MemoryStore(), log_level="ERROR"),
}


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    return fill(tmp_path / "source")


def fill(store: Any) -> zarr.Array[Any]:
    array = zarr.create_array(store, shape=(120, 60), chunks=(6, 60), dtype="i4")
    array[...] = np.arange(7200).reshape(120, 60) + 1
    return array


def rechunk(source: Any, target: Any, temp: Any, **options: Any) -> rechunker.Rechunked[Any]:
    options = {"max_mem": "6kB", **options}
    return rechunker.rechunk(
        source, (120, 2), target_store=target, temp_store=temp, executor="python", **options
    )


@pytest.mark.parametrize("kind", KINDS)
def test_target(source: zarr.Array[Any], tmp_path: Path, kind: str) -> None:
    target = rechunk(source, KINDS[kind](tmp_path / "t"), tmp_path / "temp").execute()
    np.testing.assert_array_equal(target[...], source[...])


@pytest.mark.parametrize("compressor", [None, zarr.codecs.ZstdCodec()], ids=["raw", "zstd"])
@pytest.mark.parametrize("kind", KINDS)
def test_temp(source: zarr.Array[Any], tmp_path: Path, kind: str, compressor: Any) -> None:
    temp, options = KINDS[kind](tmp_path / "temp"), {"compressors": compressor}
    plan = rechunk(source, tmp_path / "t", temp, temp_options=options, max_mem="9kB")
    np.testing.assert_array_equal(plan.execute()[...], source[...])
    assert plan.intermediate is not None


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mapping"])
def test_source(tmp_path: Path, kind: str) -> None:
    source = fill(KINDS[kind](tmp_path / "source"))
    target = rechunk(source, {}, {}).execute()
    np.testing.assert_array_equal(target[...], source[...])


def test_zip_archive_as_target(source: zarr.Array[Any], tmp_path: Path) -> None:
    store = ZipStore(tmp_path / "t.zip", mode="w")
    rechunk(source, store, tmp_path / "temp").execute()
    store.close()
    again = zarr.open_array(ZipStore(tmp_path / "t.zip", mode="r"))
    np.testing.assert_array_equal(again[...], source[...])


def test_what_is_in_an_archive_cannot_be_replaced(source: zarr.Array[Any], tmp_path: Path) -> None:
    store = ZipStore(tmp_path / "t.zip", mode="w")
    zarr.create_array(store, data=np.ones(3))
    with pytest.raises(FileExistsError, match="is in an archive, where nothing can be deleted"):
        rechunk(source, store, tmp_path / "temp", target_options={"overwrite": True})


def test_places_in_an_archive_that_is_there(source: zarr.Array[Any], tmp_path: Path) -> None:
    store = ZipStore(tmp_path / "t.zip", mode="w")
    zarr.create_group(store)
    for name in ("a", "deep/b"):
        target = rechunk(source, StorePath(store, name), tmp_path / "temp").execute()
        np.testing.assert_array_equal(target[...], source[...])
    with pytest.raises(FileExistsError, match="there is an array"):
        rechunk(source, StorePath(store, "a"), tmp_path / "temp")


def test_zip_archive_as_source(source: zarr.Array[Any], tmp_path: Path) -> None:
    store = ZipStore(tmp_path / "s.zip", mode="w")
    zarr.create_array(store, data=np.asarray(source[...]), chunks=(6, 60))
    store.close()
    archive = zarr.open_array(ZipStore(tmp_path / "s.zip", mode="r"))
    np.testing.assert_array_equal(rechunk(archive, {}, {}).execute()[...], source[...])


def test_uncompressed_chunks_in_memory_are_not_shared(source: zarr.Array[Any]) -> None:
    """What is written is a copy where the memory it is in is used again."""
    target = rechunk(source, {}, {}, target_options={"compressors": None}).execute()
    np.testing.assert_array_equal(target[...], source[...])
