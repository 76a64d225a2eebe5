"""What leads to the source by another name is found out before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from itertools import product
from pathlib import Path
from typing import Any

import dask.array
import h5py
import numpy as np
import obstore.fsspec
import obstore.store
import pytest
import xarray
import zarr
from cases import about
from counting import CountingStore
from s3 import BUCKET, KEPT, KEY, REGION, SECRET, moto, objects
from zarr.storage import FsspecStore, LocalStore, ObjectStore, StorePath, WrapperStore

from rechunker import rechunk
from rechunker.plugins import get_executor
from rechunker.stores import CLAIM, Mark, access, resolve_store
from rechunker.testing import Recorder

SHAPE: Any = {"shape": (300, 150), "chunks": (6, 150), "dtype": "i4"}
VALUES = np.ones((300, 150), "i4")


class View(MutableMapping[str, bytes]):
    """The part of a dictionary below a prefix. Nothing tells two of them that they share it."""

    def __init__(self, base: dict[str, bytes], prefix: str) -> None:
        self.base, self.prefix = base, prefix

    def __getitem__(self, key: str) -> bytes:
        return self.base[self.prefix + key]

    def __setitem__(self, key: str, value: bytes) -> None:
        self.base[self.prefix + key] = value

    def __delitem__(self, key: str) -> None:
        del self.base[self.prefix + key]

    def __iter__(self) -> Iterator[str]:
        below = [key for key in self.base if key.startswith(self.prefix)]
        return iter([key.removeprefix(self.prefix) for key in below])

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Files(View):
    """The same for the files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, key: str) -> bytes:
        if not (self.folder / key).is_file():
            raise KeyError(key)
        return (self.folder / key).read_bytes()

    def __setitem__(self, key: str, value: bytes) -> None:
        (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / key).write_bytes(value)

    def __delitem__(self, key: str) -> None:
        (self.folder / key).unlink()

    def __iter__(self) -> Iterator[str]:
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return iter([path.relative_to(self.folder).as_posix() for path in paths])


def make(place: Any, value: float = 1) -> zarr.Array[Any]:
    array = zarr.create_array(place, **SHAPE)
    array[...] = value
    return array


def run(source: Any, target: Any, temp: Any = None) -> Any:
    chunks: Any = (-1, 2) if isinstance(source, zarr.Array) else {"a": (300, 2)}
    options = {"overwrite": True}
    # The memory limit is so small that there must be temporary objects.
    memory = "15kB" if temp is not None else "1MB"
    plan = rechunk(source, chunks, memory, target, options, temp, executor="python")
    assert (plan.intermediate is None) == (temp is None)
    return plan.execute()


@pytest.mark.parametrize(
    ("source", "target", "temp", "word"),
    [
        ("a/", "a/", None, "target_store"),
        ("a/", "a/b/", None, "target_store"),
        ("a/b/", "a/", None, "target_store"),
        ("a/", "t/", "a/", "temp_store"),
        ("a/", "t/", "a/x/", "temp_store"),
        ("a/", "t/", "t/", "temp_store"),
        ("a/", "t/", "t/x/", "temp_store"),
    ],
)
def test_views_of_one_mapping(source: str, target: str, temp: str | None, word: str) -> None:
    base: dict[str, bytes] = {}
    array = make(resolve_store(View(base, source)))
    before = dict(base)
    with pytest.raises(ValueError, match=f"{word} .*choose another {word}"):
        run(array, View(base, target), None if temp is None else View(base, temp))
    assert base == before


@pytest.mark.parametrize(("source", "target", "temp"), [("a/", "ab/", "x/"), ("a/", "t/", "")])
def test_views_that_are_apart(source: str, target: str, temp: str) -> None:
    base: dict[str, bytes] = {}
    array = make(resolve_store(View(base, source)))
    make(resolve_store(View(base, f"{target}copy/")))  # its metadata are those of the source
    assert (run(array, View(base, target), View(base, temp))[...] == 1).all()
    assert sorted(key for key in base if "copy" in key or "rechunker" in key) == []


@pytest.mark.parametrize("target", ["", "a"])
def test_views_of_one_folder(tmp_path: Path, target: str) -> None:
    group = zarr.create_group(tmp_path / "g")
    group.create_array("a", **SHAPE)[...] = 1
    before = tree(tmp_path)
    with pytest.raises(ValueError, match="choose another target_store"):
        run(group, Files(tmp_path / "g" / target))
    assert tree(tmp_path) == before


class Refusing(WrapperStore[Any]):
    """A store that takes the keys of arrays and groups alone, or none at all."""

    broken = False

    async def get(self, key: str, *args: Any, **more: Any) -> Any:
        if self.broken or ".rechunker" in key:
            raise OSError(f"will not look for {key}")
        return await super().get(key, *args, **more)


def test_a_store_that_refuses_keys_does_not_show_them(tmp_path: Path) -> None:
    source = make(Refusing(LocalStore(tmp_path / "s")))
    assert (run(source, tmp_path / "t", tmp_path / "x")[...] == 1).all()
    plan = rechunk(source, (300, 2), "1MB", tmp_path / "u", executor="python")
    source.store.broken = True  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="will not look"):
        plan.execute()
    assert not (tmp_path / "u").exists()


def test_looking_for_the_claim_takes_as_many_requests_for_any_number_of_chunks() -> None:
    counts = []
    for arrays, rows in ((1, 300), (3, 300), (1, 330)):
        source, temp = CountingStore(), CountingStore()
        group = zarr.create_group(source, path="deep/g")
        for i in range(arrays):
            group.create_array(f"{i}", **{**SHAPE, "shape": (rows, 150)})[...] = 1
        chunks = {f"{i}": (rows, 2) for i in range(arrays)}
        engine = Recorder(get_executor("python"))
        plan = rechunk(group, chunks, "15kB", {}, temp_store=temp, executor=engine)
        assert plan.intermediate is not None
        source.forget()
        plan.plan[-1].stages[0](0)  # the first task
        marks = [sum(c for key, c in s.gets.items() if CLAIM in key) for s in (source, temp)]
        counts.append([*marks, sum(c for key, c in temp.puts.items() if CLAIM in key)])
    assert counts == [[5, 1, 2]] * 3


def tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("way", [{"chunks": None}, {"chunks": {}}])
def test_no_target_lies_in_the_group_of_a_dataset(tmp_path: Path, way: dict[str, Any]) -> None:
    xarray.Dataset({"a": (("y", "x"), VALUES)}).to_zarr(tmp_path / "s" / "g", zarr_format=2)
    before = tree(tmp_path)
    dataset = xarray.open_zarr(tmp_path / "s" / "g", **way)
    for changed in (dataset, dataset.isel(y=slice(1, 9))):
        for target in ("s", "s/g", "s/g/a", "s/g/new"):
            with about(target), pytest.raises(ValueError, match="choose another target_store"):
                run(changed, tmp_path / target)
        with pytest.raises(ValueError, match="choose another temp_store"):
            run(changed, tmp_path / "t", tmp_path / "s" / "g" / "x")
    assert tree(tmp_path) == before


def test_no_target_lies_around_a_file_that_is_read(tmp_path: Path) -> None:
    xarray.Dataset({"a": (("y", "x"), VALUES)}).to_netcdf(tmp_path / "s.nc", engine="h5netcdf")
    zarr.create_group(tmp_path)
    with xarray.open_dataset(tmp_path / "s.nc", engine="h5netcdf") as lazy:
        for dataset in (lazy, lazy.chunk(), lazy.chunk() + 1):
            with about(dataset), pytest.raises(ValueError, match="choose another target_store"):
                run(dataset, tmp_path)
    with h5py.File(tmp_path / "s.nc") as file, pytest.raises(ValueError, match="choose another"):
        rechunk(dask.array.from_array(file["a"]), (300, 2), "1MB", tmp_path, executor="python")
    run(xarray.load_dataset(tmp_path / "s.nc"), tmp_path)


# One place of an object store.


def s3fs(**where: str) -> Any:
    return s3fs_with({f"{name}_url": url for name, url in where.items()})


def s3fs_client(**where: str) -> Any:
    return s3fs_with({"client_kwargs": {f"{name}_url": url for name, url in where.items()}})


def s3fs_with(where: dict[str, Any]) -> Any:
    options: Any = {"key": KEY, "secret": SECRET, "skip_instance_cache": True} | where
    KEPT.append(FsspecStore.from_url(f"s3://{BUCKET}/{PATH}", storage_options=options))
    return KEPT[-1]


LOGIN: Any = {"access_key_id": KEY, "secret_access_key": SECRET, "region": REGION}
PATH = "data/s"


def obstore_s3(**where: str) -> Any:
    options: Any = {"allow_http": True}
    s3: Any = obstore.store.S3Store
    return ObjectStore(s3(BUCKET, prefix=PATH, client_options=options, **LOGIN, **where))


def obstore_fsspec(**where: str) -> Any:
    options: Any = {"allow_http": True}
    kind: Any = obstore.fsspec.FsspecStore
    fs = kind("s3", asynchronous=True, client_options=options, **LOGIN, **where)
    return FsspecStore(fs, path=f"{BUCKET}/{PATH}")


@pytest.fixture
def port() -> Iterator[str]:
    """Port of a server that speaks S3, with a bucket."""
    with moto() as endpoint:
        yield endpoint.rpartition(":")[2]


def test_spellings_of_one_place(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [
        f"http://{host}:{port}{end}" for host in ("127.0.0.1", "localhost") for end in ("", "/")
    ]
    source = zarr.create_array(
        obstore_s3(endpoint=ends[0]), shape=(1, 1), chunks=(1, 1), dtype="i4"
    )
    source[...] = 1
    before = objects(ends[0])
    for kind, (variable, end) in product(
        (s3fs, s3fs_client, obstore_s3, obstore_fsspec),
        [*product([False], ends), *product([True], ends[::3])],
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL", end if variable else "http://nowhere")
        target = kind() if variable else kind(endpoint=end)
        with about(kind.__name__, variable, end), Mark.put(StorePath(target), "1" * 32) as mark:
            assert mark.find([source.store_path], below=True) is not None
        if variable and end == ends[0]:
            with about(kind.__name__), pytest.raises(ValueError, match="are one place"):
                run(source, target)
    assert objects(ends[0]) == before


def test_listings_that_a_filesystem_keeps_do_not_hide_one_place(port: str) -> None:
    end = f"http://127.0.0.1:{port}"
    source = zarr.create_array(s3fs(endpoint=end), shape=(1, 1), chunks=(1, 1), dtype="i4")
    source[...] = 1
    before = objects(end)
    access.list_dir(source.store, "")
    with pytest.raises(ValueError, match="are one place"):
        run(source, obstore_s3(endpoint=end))
    assert objects(end) == before
