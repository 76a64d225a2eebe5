"""Bad input is an error that says what to do, before anything is written."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import xarray
import zarr
from cases import about
from zarr.storage import LocalStore, MemoryStore, StorePath, ZipStore

import rechunker
from rechunker.executors.python import PythonExecutor


class FarExecutor(PythonExecutor):
    """Says that its tasks run in other processes."""

    shares_memory = False


@pytest.fixture
def array(tmp_path: Path) -> zarr.Array[Any]:
    return zarr.create_array(
        tmp_path / "s.zarr",
        shape=(100, 40),
        chunks=(10, 40),
        dtype="f8",
        dimension_names=("time", "x"),
    )


@pytest.fixture
def group(tmp_path: Path) -> zarr.Group:
    root = zarr.create_group(tmp_path / "g.zarr")
    root.create_array("air", shape=(100, 40), chunks=(10, 40), dtype="f8")
    return root


WRONG: dict[str, tuple[dict[str, Any], Any, str]] = {
    "too few chunks": ({"target_chunks": (10,)}, ValueError, "1 sizes, but the array has 2 axes"),
    "too many chunks": ({"target_chunks": (1, 2, 3)}, ValueError, "3 sizes"),
    "zero": ({"target_chunks": (0, 4)}, ValueError, "positive"),
    "negative": ({"target_chunks": (-2, 4)}, ValueError, "positive integer or -1"),
    "fraction": ({"target_chunks": (1.5, 4)}, TypeError, "must be an integer, got 1.5"),
    "unknown dimension": ({"target_chunks": {"lat": 4}}, ValueError, "'time', 'x'"),
    "irregular": ({"target_chunks": ((50, 50), (40,))}, TypeError, "regular"),
    "text": ({"target_chunks": "10 elements"}, ValueError, "or 'auto'"),
    "no memory": ({"max_mem": "1kB"}, rechunker.MemoryLimitError, "raise max_mem to"),
    "memory of no sense": ({"max_mem": "much"}, ValueError, "much"),
    "memory below zero": ({"max_mem": -1}, ValueError, "-1"),
    "memory of no type": ({"max_mem": None}, TypeError, "None"),
    "unknown option": ({"target_options": {"compresor": None}}, ValueError, "compressor"),
    "chunks as option": ({"target_options": {"chunks": (1, 1)}}, ValueError, "target_chunks"),
    "dtype as option": ({"target_options": {"dtype": "f4"}}, ValueError, "dtype"),
    "codec of no sense": ({"target_options": {"compressors": "best"}}, (ValueError, TypeError), ""),
    "shards that do not fit": ({"target_options": {"shards": (7, 7)}}, ValueError, "shards"),
    "unknown temp option": ({"temp_options": {"level": 3}}, ValueError, "temp_options"),
    "unknown executor": ({"executor": "spark"}, ValueError, "install the package that has it"),
    "executor of no type": ({"executor": 3}, TypeError, "executor"),
    "name without a group": ({"array_name": "a"}, ValueError, "leave it out"),
    "no store": ({"target_store": 5}, TypeError, "cannot use 5 as a store"),
}


@pytest.mark.parametrize("name", WRONG)
def test_arguments(array: zarr.Array[Any], tmp_path: Path, name: str) -> None:
    wrong, error, text = WRONG[name]
    arguments: dict[str, Any] = {
        "target_chunks": (100, 4),
        "max_mem": "100kB",
        "target_store": tmp_path / "t.zarr",
        "temp_store": tmp_path / "temp",
        "executor": "python",
        **wrong,
    }
    before = files(tmp_path)
    with pytest.raises(error) as caught:
        rechunker.rechunk(array, **arguments)
    assert text in str(caught.value)
    assert files(tmp_path) == before


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def attempt(source: Any, chunks: Any, target: Any, temp: Any = None, **options: Any) -> None:
    options = {"executor": "python", **options}
    rechunker.rechunk(source, chunks, "100kB", target, temp_store=temp, **options)


@pytest.mark.parametrize("source", [None, 3, [1, 2], zarr])
def test_source_of_no_kind(tmp_path: Path, source: Any) -> None:
    with pytest.raises(TypeError, match="cannot rechunk"):
        attempt(source, (1,), tmp_path / "t.zarr")


def test_needed_memory_is_enough(array: zarr.Array[Any], tmp_path: Path) -> None:
    def plan(max_mem: int) -> Any:
        return rechunker.rechunk(
            array, (100, 4), max_mem, tmp_path / "t", temp_store=tmp_path / "x", executor="python"
        )

    with pytest.raises(rechunker.MemoryLimitError) as caught:
        plan(1000)
    assert plan(caught.value.needed).copy_plan[""].peak_memory <= caught.value.needed


def test_temporary_store_is_asked_for(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "s", shape=(1000, 1000), chunks=(1, 1000), dtype="f8")
    with pytest.raises(ValueError, match="A temporary store location must be provided.* times;"):
        attempt(array, (1000, 1), tmp_path / "t")


def test_memory_that_needs_no_temporary_store_is_named(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "s", shape=(1000, 1000), chunks=(1, 1000), dtype="f8")
    with pytest.raises(ValueError, match=r"raise max_mem to [\d.]+ MB") as caught:
        attempt(array, (1000, 1), tmp_path / "t")
    (named,) = re.findall(r"\((\d+) bytes\)", str(caught.value))
    rechunker.rechunk(array, (1000, 1), named, tmp_path / "t", executor="python")


def test_memory_that_is_enough_for_all_arrays_is_named(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "s")
    for name, n in (("small", 400), ("large", 1000), ("middle", 700)):
        group.create_array(name, shape=(n, n), chunks=(1, n), dtype="f8")
    chunks = {"small": (400, 1), "large": (1000, 1), "middle": (700, 1)}
    with pytest.raises(ValueError, match=r"provided for array 'large': .*raise max_mem") as caught:
        rechunker.rechunk(group, chunks, "1MB", tmp_path / "t", executor="python")
    (named,) = re.findall(r"\((\d+) bytes\)", str(caught.value))
    rechunker.rechunk(group, chunks, named, tmp_path / "t", executor="python")


PLACES: dict[str, Callable[[Path], tuple[Any, Any]]] = {
    "target is the source": lambda path: (path / "s.zarr", None),
    "target in the source": lambda path: (path / "s.zarr" / "c", None),
    "target holds the source": lambda path: (path, None),
    "temp is the target": lambda path: (path / "t", path / "t"),
    "temp in the target": lambda path: (path / "t", path / "t" / "temp"),
    "temp is the source": lambda path: (path / "t", path / "s.zarr"),
    "temp in the source": lambda path: (path / "t", path / "s.zarr" / "c"),
    "target is read-only": lambda path: (LocalStore(path / "t", read_only=True), None),
    "temp is read-only": lambda path: (path / "t", LocalStore(path / "x", read_only=True)),
}


@pytest.mark.parametrize("name", PLACES)
def test_places(array: zarr.Array[Any], tmp_path: Path, name: str) -> None:
    target, temp = PLACES[name](tmp_path)
    before = files(tmp_path)
    with pytest.raises(ValueError, match=name.split(" ", 1)[0] + "_store"):
        attempt(array, (100, 4), target, temp)
    assert files(tmp_path) == before


NAMES = ("../x", "a/../b", "a//b", "./a", "a\\..\\..\\b", "zarr.json", "a/.zarray", "x" * 300)


def test_names_that_lead_out_of_their_place(array: zarr.Array[Any], tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "t")
    before = files(tmp_path)
    for name in NAMES:
        with about(name), pytest.raises(ValueError, match="another name|single slashes|or name"):
            attempt(array, (100, 4), group, array_name=name)
    assert files(tmp_path) == before


def test_names_in_a_source_that_lead_out_of_their_place(tmp_path: Path) -> None:
    for name in ("..", ".", "zarr.json", "x" * 300):
        dataset = xarray.Dataset({name: ("x", np.ones(4))})
        with about(name), pytest.raises(ValueError, match="another name|rename|or name"):
            attempt(dataset, {"x": 2}, tmp_path / "t" / "u")
    assert files(tmp_path) == []


def test_paths_that_cannot_be_written(array: zarr.Array[Any], tmp_path: Path) -> None:
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "nowhere").symlink_to(tmp_path / "nothing")
    (tmp_path / "file").touch()
    before = files(tmp_path)
    for name in (
        "itself",
        "itself/a",
        "nowhere",
        "nowhere/a",
        "file/a",
        "x" * 300,
        "x" * 200 + "/x" * 2000,
    ):
        for places in [(tmp_path / name, None), (tmp_path / "t", tmp_path / name)]:
            with about(name), pytest.raises(ValueError, match="choose another place"):
                attempt(array, (100, 4), *places)
    assert files(tmp_path) == before


def test_folder_that_cannot_be_written(
    array: zarr.Array[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root may write to any folder, the answer of the system is replaced."""
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    for places in [(tmp_path / "t", None), ({}, tmp_path / "x" / "y")]:
        with pytest.raises(ValueError, match="its filesystem is read-only"):
            attempt(array, (100, 4), *places)


HUGE: dict[str, tuple[dict[str, Any], Any, str]] = {
    "more tasks than can be counted": (
        {"shape": (2**62, 2**62), "chunks": (2**10, 2**10)},
        (2**9, 2**11),
        "choose larger target_chunks",
    ),
    "chunks of the source": (
        {"shape": (40, 40), "chunks": (2**63, 2**63)},
        (5, 5),
        "raise max_mem",
    ),
    "chunks of the target": ({"shape": (2**62,), "chunks": (1,)}, (-1,), "choose smaller"),
    "dimensions": ({"shape": (1,) * 65, "chunks": (1,) * 65}, (1,) * 65, "65 dimensions"),
}


@pytest.mark.parametrize("name", HUGE)
def test_huge_arrays(tmp_path: Path, name: str) -> None:
    options, chunks, text = HUGE[name]
    source = zarr.create_array(tmp_path / "s", dtype="f8", **options)
    with pytest.raises(ValueError, match=text):
        rechunker.rechunk(
            source, chunks, "1GB", tmp_path / "t", None, tmp_path / "x", executor="python"
        )


def test_temporary_store_that_cannot_delete(array: zarr.Array[Any], tmp_path: Path) -> None:
    store = ZipStore(tmp_path / "temp.zip", mode="w")
    with pytest.raises(ValueError, match="cannot delete"):
        attempt(array, (100, 4), tmp_path / "t", store)


def test_array_next_to_its_source(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "g")
    source = root.create_array("a", shape=(10,), chunks=(2,), dtype="i4")
    attempt(source, (5,), StorePath(LocalStore(tmp_path / "g"), "ab"))


def test_group_needs_a_name_for_an_array(array: zarr.Array[Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give array_name"):
        attempt(array, (100, 4), zarr.create_group(tmp_path / "t"))


def test_name_is_superfluous_for_a_group(group: zarr.Group, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave it out"):
        attempt(group, {"air": None}, zarr.create_group(tmp_path / "t"), array_name="x")


@pytest.mark.parametrize("chunks", [(10, 10), {"ari": (10, 10)}])
def test_group_wants_chunks_by_name(group: zarr.Group, tmp_path: Path, chunks: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="air"):
        attempt(group, chunks, tmp_path / "t")


def test_group_wants_options_by_name(group: zarr.Group, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="target_options: .*'compressors'"):
        attempt(group, {"air": None}, tmp_path / "t", target_options={"compressors": None})


def test_other_format_in_a_group(array: zarr.Array[Any], tmp_path: Path) -> None:
    there = zarr.create_group(tmp_path / "t", zarr_format=2)
    with pytest.raises(ValueError, match="format 2"):
        attempt(array, (100, 4), there, array_name="a", target_options={"zarr_format": 3})


@pytest.mark.parametrize("store", [MemoryStore, dict])
def test_memory_that_tasks_cannot_reach(array: zarr.Array[Any], store: Any) -> None:
    with pytest.raises(ValueError, match="lives in the memory of this process"):
        attempt(array, (100, 4), store(), executor=FarExecutor())


def test_object_arrays_of_old(tmp_path: Path) -> None:
    """They cannot be opened, and Zarr says why."""
    (tmp_path / ".zarray").write_text(
        '{"zarr_format": 2, "shape": [2], "chunks": [2], "dtype": "|O", "fill_value": null,'
        ' "order": "C", "compressor": null, "filters": [{"id": "json2"}]}'
    )
    with pytest.raises(ValueError, match="No Zarr data type"):
        zarr.open(tmp_path, mode="r")


def test_cells_too_large_for_their_codec(tmp_path: Path) -> None:
    shape, chunks = (20_000, 160_000, 100), (20_000, 100_000, 2)
    array = zarr.create_array(tmp_path / "s", shape=shape, chunks=chunks, dtype="u1")

    def plan(compressor: Any) -> Any:
        return rechunker.rechunk(
            array,
            (20_000, 80_000, 100),
            "167GB",
            tmp_path / "t",
            temp_store=tmp_path / "x",
            target_options={"compressors": None},
            temp_options={"compressor": compressor},
            executor=PythonExecutor(threads=1),
        )

    assert plan(numcodecs.Zstd()).copy_plan[""].largest_cell > 2**31
    with pytest.raises(ValueError, match="cells of .* codec can hold no more .* such as zstd"):
        plan(numcodecs.Blosc())
    assert not (tmp_path / "t").exists()
