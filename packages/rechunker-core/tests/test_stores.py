"""Places in stores: finding, comparing and looking at them leaves no trace."""

from __future__ import annotations

import os
import zipfile
from collections import OrderedDict, UserDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import zarr
from cases import about
from zarr.abc.store import Store
from zarr.buffer.cpu import Buffer
from zarr.storage import (
    FsspecStore,
    LocalStore,
    LoggingStore,
    MemoryStore,
    ObjectStore,
    StorePath,
    WrapperStore,
    ZipStore,
)

from rechunker.stores import contains, find_node, is_process_local, resolve_store, unwrap
from rechunker.stores.disk import is_within
from rechunker.stores.mapping import MappingStore

FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])


class Files:
    """What stores and locations see of a file system of fsspec."""

    async_impl = asynchronous = True

    def __init__(self, protocol: Any, *, inner: Any = None, path: str = "", **options: Any) -> None:
        self.protocol, self.fs, self.path, self.storage_options = protocol, inner, path, options


def in_threads(fs: Files) -> Any:
    """What fsspec makes of a synchronous file system."""
    return SimpleNamespace(sync_fs=fs, protocol=fs.protocol, async_impl=True, asynchronous=True)


def files(protocol: Any, root: str = "bucket/data", **options: Any) -> FsspecStore:
    made: Any = Files(protocol, **options)
    return FsspecStore(made, path=root)


def objects(kind: str, **attributes: Any) -> ObjectStore[Any]:
    """What stores and locations see of a store of obstore."""
    made = type(kind, (SimpleNamespace,), {"__module__": "obstore.store"})(**attributes)
    return ObjectStore(made)


def overlap(a: StorePath, b: StorePath) -> bool:
    """Say whether two places hold common objects."""
    return contains(a, b) or contains(b, a)


def at(store: Store, path: str = "") -> StorePath:
    return StorePath(store, path)


# Finding a store.


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_a_folder_that_need_not_be_there(tmp_path: Path, kind: Any) -> None:
    place = resolve_store(kind(tmp_path / "new.zarr"))
    assert place == at(LocalStore(tmp_path / "new.zarr"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("prefix", ["file://", "file:"])
def test_a_file_url_is_a_folder(tmp_path: Path, prefix: str) -> None:
    place = resolve_store(f"{prefix}{tmp_path.as_posix()}/a%20b")
    assert place == at(LocalStore(tmp_path / "a b"))


def test_a_dict_is_memory() -> None:
    buffers: dict[str, Any] = OrderedDict(a=Buffer.from_bytes(b"1"))
    store = resolve_store(buffers).store
    assert type(store) is MemoryStore
    assert overlap(at(store), at(MemoryStore(buffers)))


def test_a_dict_of_bytes_is_a_mapping() -> None:
    mapping = {"a": b"1"}
    assert resolve_store(mapping) == at(MappingStore(mapping))


def test_any_mapping_may_be_given() -> None:
    mapping: UserDict[str, bytes] = UserDict()
    assert resolve_store(mapping) == at(MappingStore(mapping))


def test_a_store_is_itself() -> None:
    store = MemoryStore()
    assert resolve_store(store).store is store


def test_a_place_is_itself() -> None:
    place = at(MemoryStore(), "a/b")
    assert resolve_store(place) is place


def test_a_group_is_its_place() -> None:
    group = zarr.create_group(MemoryStore(), path="a")
    assert resolve_store(group) == at(group.store, "a")


def test_a_store_of_obstore_may_be_bare() -> None:
    wrapped = objects("S3Store", config={})
    assert resolve_store(wrapped.store) == at(wrapped)


def test_what_is_no_place_is_refused() -> None:
    message = "cannot use .* as a store; give a path, a URL"
    for given in (3, None, ["a"], object()):
        with about(given), pytest.raises(TypeError, match=message):
            resolve_store(given)


def test_an_array_is_no_place() -> None:
    array = zarr.create_array({}, shape=(4,), chunks=(2,), dtype="i4")
    with pytest.raises(TypeError, match="cannot use <Array .* as a store"):
        resolve_store(array)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "data.zip"
    file.touch()
    with pytest.raises(ValueError, match="is a file, not a folder; for a zip archive give"):
        resolve_store(file)


def test_storage_options_are_for_urls() -> None:
    message = "storage_options are for URLs such as 's3://bucket/key'"
    places: list[Any] = ["data.zarr", {}, MemoryStore()]
    for given in places:
        with about(given), pytest.raises(TypeError, match=message):
            resolve_store(given, storage_options={"anon": True})


# Stores of one process.


def test_bytes_of_some_stores_live_in_one_process() -> None:
    stores: list[Store] = [
        MemoryStore(),
        LoggingStore(MemoryStore()),
        WrapperStore(WrapperStore(MemoryStore())),
        MappingStore(UserDict()),
        ZipStore("new.zip", mode="w"),
        ZipStore("new.zip", mode="a"),
        files("memory"),
        files(("file", "simplecache")),
        files("dir", inner=Files("memory")),
        FsspecStore(in_threads(Files("memory"))),
        objects("MemoryStore"),
    ]
    assert [store for store in stores if not is_process_local(store)] == []


def test_bytes_of_other_stores_are_everywhere() -> None:
    stores: list[Store] = [
        LocalStore("data.zarr"),
        LoggingStore(LocalStore("data.zarr")),
        ZipStore("old.zip", mode="r"),
        files(("s3", "s3a")),
        files("reference", inner=Files("memory")),
        FsspecStore(in_threads(Files(("file", "local")))),
        objects("S3Store"),
    ]
    assert [store for store in stores if is_process_local(store)] == []


# Comparing places.

SHARED: dict[str, Any] = {}
MEMORY, MAPPING = MemoryStore(SHARED), UserDict[str, bytes]()
S3 = ("s3", "s3a")
BUCKET = {"bucket": "b", "region": "x"}


def test_places_overlap_where_one_contains_the_other() -> None:
    pairs = [
        (at(LocalStore("x")), at(LocalStore("x"))),
        (at(LocalStore("x")), at(LocalStore("x/y"))),
        (at(LocalStore("x"), "y/z"), at(LocalStore("x/y"))),
        (at(LocalStore("x/../y")), at(LocalStore("y"))),
        (at(LocalStore("x", read_only=True)), at(LocalStore("x"))),
        (at(LocalStore("x")), at(LoggingStore(LocalStore("x")), "a")),
        (at(LocalStore("x")), at(ZipStore("x/y.zip"))),
        (at(LocalStore("/x")), at(files(("file", "local"), "/x/y"))),
        (at(LocalStore("/x")), at(objects("LocalStore", prefix="/x/y"))),
        (at(LocalStore("/x")), at(objects("LocalStore", prefix=None))),
        (at(MEMORY), at(MEMORY, "a")),
        (at(MEMORY), at(MemoryStore(SHARED, read_only=True))),
        (at(MappingStore(MAPPING)), at(MappingStore(MAPPING, read_only=True), "a")),
        (at(files(S3)), at(files(S3, "bucket/data/"), "a")),
        (at(files(S3), "a/b"), at(files(S3, "bucket/data/a"))),
        (at(files(S3, key="me")), at(files(S3, anon=True))),
        (at(files("memory", "/x")), at(FsspecStore(in_threads(Files("memory")), path="/x/y"))),
        (at(files("memory", "/x/y")), at(files("dir", "y", inner=Files("memory"), path="/x"))),
        (at(files(S3)), at(files("simplecache", inner=Files(S3)))),
        (at(objects("S3Store", config=BUCKET)), at(objects("S3Store", config=BUCKET, prefix="a"))),
        (at(objects("S3Store", config=BUCKET)), at(objects("S3Store", config={"bucket": "b"}))),
        (at(objects("HTTPStore", url="x")), at(objects("HTTPStore", url="x"), "a")),
    ]
    assert [pair for pair in pairs if not overlap(*pair)] == []


def test_places_are_apart_where_they_share_no_object() -> None:
    pairs = [
        (at(LocalStore("x")), at(LocalStore("xy"))),
        (at(LocalStore("x"), "a/b"), at(LocalStore("x"), "a/bc")),
        (at(LocalStore("x"), "a"), at(LocalStore("x"), "b")),
        (at(LocalStore("/x")), at(files(("memory",), "/x"))),
        (at(LocalStore("x")), at(MemoryStore())),
        (at(MemoryStore()), at(MemoryStore())),
        (at(MappingStore({})), at(MappingStore({}))),
        (at(files(S3)), at(files(S3, "bucket/data2"))),
        (at(files(S3)), at(files(("gs", "gcs")))),
        (at(files(S3)), at(files(S3, endpoint_url="http://localhost"))),
        (at(files(S3)), at(files(S3, client_kwargs={"endpoint_url": "http://localhost"}))),
        (at(files("reference", "", fo="a.json")), at(files("reference", "", fo="b.json"))),
        (at(objects("S3Store", config=BUCKET)), at(objects("S3Store", config={"bucket": "c"}))),
        (at(objects("S3Store", config=BUCKET)), at(objects("GCSStore", config=BUCKET))),
        (at(objects("MemoryStore", n=1)), at(objects("MemoryStore", n=2))),
        (at(objects("HTTPStore", url="x"), "a"), at(objects("HTTPStore", url="x"), "b")),
    ]
    assert [pair for pair in pairs if overlap(*pair)] == []


def test_links_lead_to_one_place(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.symlink(tmp_path / "data", tmp_path / "link")
    assert overlap(at(LocalStore(tmp_path / "data")), at(LocalStore(tmp_path / "link"), "a"))


def test_mount_points_of_one_filesystem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
        "2 1 8:1 /data/a\\040b/group /mnt/part rw,relatime shared:1 - ext4 /dev/sda rw\n"
        "3 1 8:2 / /mnt/other rw - ext4 /dev/sdb rw\n"
        "4 1 8:1 /exchanged /mnt/other rw - ext4 /dev/sda rw\n"
    )
    monkeypatch.setattr("rechunker.stores.disk._MOUNTS", mounts)
    assert contains(at(LocalStore("/data/a b")), at(LocalStore("/mnt/part")))
    assert contains(at(LocalStore("/data/a b/group")), at(LocalStore("/mnt/part/array")))
    assert contains(at(LocalStore("/mnt/part")), at(LocalStore("/data/a b/group/array")))
    assert overlap(at(LocalStore("/exchanged/x")), at(LocalStore("/mnt/other/x")))
    assert not overlap(at(LocalStore("/data/a b/other")), at(LocalStore("/mnt/part")))
    assert not overlap(at(LocalStore("/group")), at(LocalStore("/mnt/part")))


def test_folders_with_one_inode_are_one(tmp_path: Path) -> None:
    """The folders need no common name, which links stand for here, and need not exist."""
    (tmp_path / "data" / "group").mkdir(parents=True)
    os.symlink(tmp_path / "data", tmp_path / "mount")
    group, new = tmp_path / "data" / "group", tmp_path / "data" / "new" / "array"
    mount = tmp_path / "mount"
    assert is_within(mount / "group", group)
    assert is_within(mount / "group" / "c" / "0", group)
    assert is_within(new, mount)
    assert is_within(mount / "new" / "array", tmp_path / "data" / "new")
    assert not is_within(mount, group)
    assert not is_within(mount / "new" / "array", group)


def test_stores_of_unknown_kinds_are_one_place_if_they_are_equal() -> None:
    methods: dict[str, Any] = dict.fromkeys(Store.__abstractmethods__)
    methods["__eq__"] = lambda self, other: self.read_only == other.read_only
    kind: Any = type("Unknown", (Store,), methods)
    assert overlap(at(kind()), at(kind(), "a"))
    assert not overlap(at(kind()), at(kind(read_only=True)))
    assert not overlap(at(kind()), at(MEMORY))


def test_a_place_contains_itself_and_what_lies_in_it() -> None:
    assert contains(at(MEMORY, "a"), at(MEMORY, "a"))
    assert contains(at(MEMORY, "a"), at(MEMORY, "a/b"))
    assert not contains(at(MEMORY, "a/b"), at(MEMORY, "a"))


def test_wrappers_come_off() -> None:
    assert unwrap(LoggingStore(WrapperStore(MEMORY))) is MEMORY


# Looking at places.


def kind_at(store: Store) -> str | None:
    node = find_node(at(store))
    return None if node is None else node.kind


@FORMATS
def test_arrays_and_groups_are_told_apart(zarr_format: Any) -> None:
    store = MemoryStore()
    root = zarr.create_group(store, zarr_format=zarr_format)
    root.create_array("a", shape=(4,), chunks=(2,), dtype="i4")
    found = [find_node(at(store, path)) for path in ("", "a", "b")]
    kinds = [None if node is None else node[:2] for node in found]
    assert kinds == [("group", zarr_format), ("array", zarr_format), None]


def test_what_is_no_metadata_is_no_node() -> None:
    for content in (b"", b"{", b"[]", b"{}", b'{"node_type": "x"}', b"\xff"):
        place = at(MemoryStore({"zarr.json": Buffer.from_bytes(content)}))
        with about(content):
            assert find_node(place) is None


@pytest.mark.parametrize("wrap", [lambda store: store, LoggingStore])
def test_looking_makes_no_folder(tmp_path: Path, wrap: Any) -> None:
    place = at(wrap(LocalStore(tmp_path / "new.zarr")), "a")
    assert find_node(place) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", ["w", "a", "x", "r"])
def test_looking_makes_no_archive(tmp_path: Path, mode: Any) -> None:
    place = at(ZipStore(tmp_path / "new.zip", mode=mode))
    assert find_node(place) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", ["w", "a", "r"])
def test_looking_leaves_an_archive_as_it_is(tmp_path: Path, mode: Any) -> None:
    with ZipStore(tmp_path / "old.zip", mode="w") as store:
        zarr.create_group(store)
    before = (tmp_path / "old.zip").read_bytes()
    assert kind_at(ZipStore(tmp_path / "old.zip", mode=mode)) == "group"
    assert (tmp_path / "old.zip").read_bytes() == before


def test_an_archive_that_is_being_written_is_read(tmp_path: Path) -> None:
    with ZipStore(tmp_path / "new.zip", mode="w") as store:
        zarr.create_group(store)
        assert kind_at(store) == "group"
    assert zipfile.is_zipfile(tmp_path / "new.zip")


def test_a_store_in_a_file_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert kind_at(LocalStore(tmp_path / "file")) is None


@pytest.mark.parametrize("kind", [str, Path])
def test_the_home_folder_of_a_user_is_found(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert resolve_store(kind("~/t")) == resolve_store(tmp_path / "home" / "t")
    assert resolve_store(kind("~t")) == resolve_store(tmp_path / "~t")
    assert not (tmp_path / "~").exists()
