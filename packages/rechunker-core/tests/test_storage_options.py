"""`storage_options` reach what opens a URL: fsspec, or obstore."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import obstore.exceptions
import pytest
import zarr
from cases import about
from fsspec.implementations.memory import MemoryFileSystem
from zarr.storage import FsspecStore, ObjectStore

import rechunker
from rechunker.stores import resolve_store

fsspec: Any = import_module("fsspec")  # it has no types
OPTIONS = {"secret": "1234"}


class Locked(MemoryFileSystem):  # type: ignore[misc]
    """Files in memory, which want a secret."""

    protocol = "locked"
    store: dict[str, Any] = {}  # noqa: RUF012, as in the class above
    pseudo_dirs = [""]  # noqa: RUF012

    def __init__(self, *, secret: str, **options: Any) -> None:
        assert secret == "1234"
        super().__init__(**options)


@pytest.fixture(autouse=True)
def locked() -> Iterator[None]:
    fsspec.register_implementation("locked", Locked, clobber=True)
    yield
    Locked.store.clear()
    Locked.pseudo_dirs[:] = [""]


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(tmp_path / "s", shape=(40, 30), chunks=(2, 30), dtype="i4")
    array[...] = np.arange(1200).reshape(40, 30) + 1
    return array


def rechunk(source: Any, target: Any, temp: Any, options: Any) -> rechunker.Rechunked[Any]:
    return rechunker.rechunk(
        source, (40, 2), "2kB", target, None, temp, executor="python", storage_options=options
    )


def test_options_open_a_target_and_a_temp_store(source: zarr.Array[Any]) -> None:
    plan = rechunk(source, "locked://t", "locked://x", OPTIONS)
    assert plan.intermediate is not None
    np.testing.assert_array_equal(plan.execute()[...], source[...])
    assert not [name for name in Locked.store if "x" in name.split("/")]


def test_options_are_for_urls_alone(source: zarr.Array[Any], tmp_path: Path) -> None:
    for target, temp in (("locked://t", tmp_path / "x"), (tmp_path / "t", "locked://x")):
        with about(target, temp):
            target_array = rechunk(source, target, temp, OPTIONS).execute()
            np.testing.assert_array_equal(target_array[...], source[...])


def test_options_without_a_url_are_refused(source: zarr.Array[Any], tmp_path: Path) -> None:
    message = "for URLs such as .*, and none of source, target_store, temp_store is one"
    temps: list[Any] = [tmp_path / "x", None, {}]
    for temp in temps:
        with about(temp), pytest.raises(TypeError, match=message):
            rechunk(source, tmp_path / "t", temp, OPTIONS)
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_options_are_a_dict(source: zarr.Array[Any]) -> None:
    with pytest.raises(TypeError, match="storage_options must be a dict .*, got a str"):
        rechunk(source, "locked://t", None, "1234")


def test_options_open_what_is_verified(source: zarr.Array[Any], tmp_path: Path) -> None:
    rechunk(source, "locked://t", tmp_path / "x", OPTIONS).execute()
    more: Any = {"storage_options": OPTIONS, "executor": "python"}
    assert rechunker.verify(source, "locked://t", temp_store=tmp_path / "y", **more)
    assert rechunker.verify("locked://t", source, **more)
    assert rechunker.digest("locked://t", **more) == rechunker.digest(source)
    assert rechunker.digest(source, temp_store="locked://y", **more) == rechunker.digest(source)
    with pytest.raises(TypeError, match="none of source, target, temp_store is one"):
        rechunker.verify(source, source, **more)
    with pytest.raises(TypeError, match="none of values, temp_store is one"):
        rechunker.digest(source, **more)


# By way of obstore.


def test_options_that_obstore_alone_knows_choose_it() -> None:
    known: list[dict[str, Any]] = [
        {"skip_signature": True},
        {"aws_region": "x"},
        {"client_options": {}},
    ]
    for options in known:
        store = resolve_store("s3://bucket/key", storage_options=options).store
        with about(options):
            assert isinstance(store, ObjectStore)
    assert isinstance(resolve_store("s3://bucket/key", storage_options=OPTIONS).store, FsspecStore)


@pytest.fixture
def without_gcsfs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)


@pytest.mark.usefixtures("without_gcsfs")
def test_a_url_that_fsspec_cannot_open_is_opened_by_obstore() -> None:
    place = resolve_store("gs://bucket/key")
    assert isinstance(place.store, ObjectStore)
    assert type(place.store.store).__name__ == "GCSStore"


@pytest.mark.usefixtures("without_gcsfs")
def test_an_option_that_obstore_does_not_know_is_named() -> None:
    unknown = obstore.exceptions.UnknownConfigurationKeyError
    with pytest.raises(unknown, match="key: 'project' is not valid") as raised:
        resolve_store("gs://bucket/key", storage_options={"project": "a"})
    note = raised.value.__notes__[-1]
    assert note.startswith("obstore opens 'gs://bucket/key': Please install gcsfs")
    assert note.endswith("storage_options are arguments of obstore.store.from_url")


@pytest.mark.usefixtures("without_gcsfs")
def test_if_nothing_can_open_a_url_both_ways_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    ways = "pip install fsspec gcsfs, or pip install obstore$"
    with pytest.raises(ImportError, match=f"'gs://bucket/key' cannot be opened: .*; {ways}"):
        resolve_store("gs://bucket/key")
    with pytest.raises(ImportError, match="options are those of obstore; pip install obstore$"):
        resolve_store("gs://bucket/key", storage_options={"skip_signature": True})


def test_a_url_that_only_fsspec_knows_is_not_for_obstore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dropbox", None)
    monkeypatch.setitem(sys.modules, "dropboxdrivefs", None)
    with pytest.raises(ImportError, match="dropbox"):
        resolve_store("dropbox://a/b")
    with pytest.raises(ValueError, match="obstore cannot open 'dropbox://a/b', but its options"):
        resolve_store("dropbox://a/b", storage_options={"skip_signature": True})
