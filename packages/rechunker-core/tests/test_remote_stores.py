"""Places that fsspec leads to."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import zarr
from zarr.storage import FsspecStore, LocalStore, StorePath

from rechunker.stores import contains, find_node, is_process_local, resolve_store

fsspec: Any = import_module("fsspec")  # it has no types


@pytest.fixture
def memory() -> Any:
    """An empty file system in memory; fsspec has one for all."""
    fs = fsspec.filesystem("memory", skip_instance_cache=True)
    fs.store.clear()
    yield fs
    fs.store.clear()


def test_a_url_is_a_place_where_nothing_is_written(memory: Any) -> None:
    place = resolve_store("memory://data/a.zarr")
    assert isinstance(place.store, FsspecStore)
    assert find_node(place) is None
    assert not memory.store


def test_storage_options_reach_fsspec(tmp_path: Path) -> None:
    place = resolve_store("simplecache::memory://a", storage_options={"simplecache": {"x": 1}})
    assert isinstance(place.store, FsspecStore)
    assert place.store.fs.sync_fs.storage_options["x"] == 1


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match="Protocol not known: magic"):
        resolve_store("magic://a")


def test_a_mapping_of_fsspec_is_a_place(memory: Any) -> None:
    place = resolve_store(memory.get_mapper("/data"))
    zarr.create_group(place)
    node = find_node(resolve_store("memory://data"))
    assert node is not None
    assert node.kind == "group"


def test_a_mapping_of_files_and_a_path_are_one_place(tmp_path: Path) -> None:
    fs = fsspec.filesystem("file", auto_mkdir=True)
    place = resolve_store(fs.get_mapper(str(tmp_path / "a.zarr")))
    assert contains(place, StorePath(LocalStore(tmp_path), "a.zarr/b"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("url", "local"),
    [("memory://a", True), ("simplecache::memory://a", True), ("local://a", False)],
)
def test_files_in_memory_and_in_caches_are_those_of_one_process(url: str, local: bool) -> None:
    assert is_process_local(resolve_store(url).store) is local


def test_a_cache_and_what_it_caches_are_one_place() -> None:
    assert contains(resolve_store("memory://a"), resolve_store("simplecache::memory://a/b"))
    assert contains(resolve_store("simplecache::memory://a"), resolve_store("memory://a/b"))
    assert not contains(resolve_store("memory://a/b"), resolve_store("memory://a/bc"))
