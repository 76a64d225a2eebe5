"""Places that fsspec leads to."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import zarr
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from zarr.storage import FsspecStore, LocalStore, StorePath

from rechunker import rechunk
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


def folder(path: Path, way: str) -> Any:
    """A place in a folder that is cut out of the file system (``dir::``)."""
    if way == "URL":
        return f"dir://{path.name}::file://{path.parent}"
    if way == "mapping":
        return DirFileSystem(str(path.parent), LocalFileSystem()).get_mapper(path.name)
    fs = AsyncFileSystemWrapper(LocalFileSystem(), asynchronous=True)
    return FsspecStore(DirFileSystem(str(path.parent), fs, asynchronous=True), path=path.name)


@pytest.mark.parametrize("way", ["URL", "mapping", "asynchronous"])
def test_a_folder_of_a_filesystem_is_a_place(tmp_path: Path, way: str) -> None:
    source = zarr.create_array(tmp_path / "s", shape=(300, 150), chunks=(6, 150), dtype="i4")
    source[...] = 1
    with pytest.raises(ValueError, match="choose another target_store"):
        rechunk(source, (300, 2), "1MB", folder(tmp_path / "s", way), executor="python")
    target, temp = folder(tmp_path / "t" / "a", way), folder(tmp_path / "x" / "b", way)
    plan = rechunk(source, (300, 2), "15kB", target, temp_store=temp, executor="python")
    assert plan.intermediate is not None
    plan.execute()
    assert (zarr.open_array(tmp_path / "t" / "a", mode="r")[...] == 1).all()  # type: ignore[union-attr]


@pytest.mark.parametrize("protocol", ["file", "local"])
def test_folders_of_files_are_made(tmp_path: Path, protocol: str) -> None:
    source = zarr.create_array(tmp_path / "s", shape=(300, 150), chunks=(6, 150), dtype="i4")
    temp, target = (FsspecStore.from_url(f"{protocol}://{tmp_path}/new/{p}") for p in "xt")
    plan = rechunk(source, (300, 2), "15kB", target, temp_store=temp, executor="python")
    assert plan.execute().shape == (300, 150)


def test_a_cache_and_what_it_caches_are_one_place() -> None:
    assert contains(resolve_store("memory://a"), resolve_store("simplecache::memory://a/b"))
    assert contains(resolve_store("simplecache::memory://a"), resolve_store("memory://a/b"))
    assert not contains(resolve_store("memory://a/b"), resolve_store("memory://a/bc"))
