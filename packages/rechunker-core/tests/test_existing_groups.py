"""Groups that are at the target: arrays are added to them, and nothing else is ever lost."""

from __future__ import annotations

from collections import UserDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from cases import about
from zarr.storage import LocalStore, MemoryStore, StorePath

import rechunker
from rechunker.stores import resolve_store


def group_with(name: str, place: Any, **options: Any) -> zarr.Group:
    group = zarr.create_group(place, attributes={"mine": 1}, **options)
    group.create_array(name, shape=(40, 30), chunks=(4, 30), dtype="i4")[...] = 7
    return group


def rechunk(source: Any, chunks: Any, target: Any, **options: Any) -> rechunker.Rechunked[Any]:
    options = {"max_mem": "100kB", "executor": "python", **options}
    return rechunker.rechunk(source, chunks, target_store=target, **options)


def names(place: Any) -> list[str]:
    group = zarr.open_group(resolve_store(place), mode="r", use_consolidated=False)
    return sorted(name for name, _ in group.members(max_depth=None))


def test_arrays_are_added_whatever_names_the_group(tmp_path: Path) -> None:
    source, other = group_with("x", tmp_path / "s"), group_with("x", {})
    places = [tmp_path / "t", f"file://{tmp_path / 'u'}", LocalStore(tmp_path / "v"), UserDict()]
    for place in [*places, MemoryStore(), StorePath(MemoryStore(), "deep/er")]:
        group_with("kept", resolve_store(place))
        with about(place):
            rechunk(source, {"x": (40, 3)}, place).execute()
            dataset = xr.Dataset({"air": (("a", "b"), np.ones((4, 3)))})
            rechunk(dataset, {"a": 2}, place).execute()
            rechunk(other["x"], (5, 30), place, array_name="/below/x").execute()
            assert names(place) == ["air", "below", "below/x", "kept", "x"]
            target = zarr.open_group(resolve_store(place), mode="r")
            assert dict(target.attrs) == {"mine": 1}
            assert np.all(target["kept"][...] == 7)  # type: ignore[index]


def test_what_the_error_advises_deletes_what_was_named_alone(tmp_path: Path) -> None:
    source = group_with("x", tmp_path / "s")
    there = group_with("kept", tmp_path / "t")
    there.create_array("x", shape=(2,), dtype="i4")
    with pytest.raises(FileExistsError, match="t/x already.*'overwrite': True in the .* of 'x' to"):
        rechunk(source, {"x": (40, 3)}, tmp_path / "t")
    options = {"x": {"overwrite": True}}
    rechunk(source, {"x": (40, 3)}, tmp_path / "t", target_options=options).execute()
    assert names(tmp_path / "t") == ["kept", "x"]
    assert zarr.open_array(tmp_path / "t/x", mode="r").shape == (40, 30)


def test_an_error_names_all_that_is_in_the_way(tmp_path: Path) -> None:
    """And what it advises replaces these alone."""
    source, names_of = zarr.create_group(tmp_path / "s"), [f"a{i:02}" for i in range(12)]
    group_with("kept", tmp_path / "t")
    for place in (source, zarr.open_group(tmp_path / "t")):
        for name in names_of:
            place.create_array(name, shape=(4,), chunks=(2,), dtype="i4")
    chunks = dict.fromkeys(names_of, (4,))
    with pytest.raises(FileExistsError, match=r"a00 already, and so are 11 more: a01.*a09, \.\.\."):
        rechunk(source, chunks, tmp_path / "t")
    with pytest.raises(FileExistsError) as caught:
        rechunk(source, chunks, tmp_path / "t")
    option = "{'*': {'overwrite': True}}"
    assert f"give target_options={option} to have execute() replace them" in str(caught.value)
    options = {"*": {"overwrite": True}}
    rechunk(source, chunks, tmp_path / "t", target_options=options).execute()
    assert names(tmp_path / "t") == [*names_of, "kept"]
    assert zarr.open_array(tmp_path / "t/a11").chunks == (4,)


def test_a_group_is_replaced_as_a_whole_if_it_is_said(tmp_path: Path) -> None:
    source = group_with("x", tmp_path / "s")
    group_with("lost", tmp_path / "t", zarr_format=2)
    rechunk(source, {"x": (40, 3)}, tmp_path / "t", target_options={"overwrite": True}).execute()
    assert names(tmp_path / "t") == ["x"]


def test_no_error_about_a_group_advises_to_delete_it(tmp_path: Path) -> None:
    source = group_with("x", tmp_path / "s")
    group_with("kept", tmp_path / "t/x")
    zarr.create_group(tmp_path / "t")
    trials: dict[str, tuple[Any, Any, dict[str, Any]]] = {
        "choose another target_store or name": (source, {"x": (40, 3)}, {}),
        "another target_store or name, or": (source["x"], (40, 3), {"array_name": "x"}),
        "give array_name, the name of the array in it": (source["x"], (40, 3), {}),
    }
    for message, (what, chunks, options) in trials.items():
        with about(message), pytest.raises((FileExistsError, ValueError), match=message) as caught:
            rechunk(what, chunks, tmp_path / "t", **options)
        assert "overwrite" not in str(caught.value)


def test_a_group_made_since_the_plan_is_added_to_by_the_next_one(tmp_path: Path) -> None:
    source = group_with("x", tmp_path / "s")
    plan = rechunk(source, {"x": (40, 3)}, tmp_path / "t")
    group_with("kept", tmp_path / "t")
    with pytest.raises(FileExistsError, match=r"was not there when .*; call rechunk\(\) again"):
        plan.execute()
    rechunk(source, {"x": (40, 3)}, tmp_path / "t").execute()
    assert names(tmp_path / "t") == ["kept", "x"]


def test_a_plan_that_is_executed_again_keeps_what_was_added_since(tmp_path: Path) -> None:
    plan = rechunk(group_with("x", tmp_path / "s"), {"x": (40, 3)}, tmp_path / "t")
    plan.execute()
    plan.execute()
    zarr.open_group(tmp_path / "t").create_array("kept", shape=(2,), dtype="i4")
    with pytest.raises(FileExistsError, match=r"holds more than this plan has written; call"):
        plan.execute()
    assert names(tmp_path / "t") == ["kept", "x"]


def test_arrays_in_a_folder_that_is_no_group_are_not_deleted(tmp_path: Path) -> None:
    source = group_with("x", tmp_path / "s")
    group_with("kept", tmp_path / "t")
    (tmp_path / "t/zarr.json").unlink()
    with pytest.raises(FileExistsError, match=r"call zarr\.create_group\(\) there") as caught:
        rechunk(source, {"x": (40, 3)}, tmp_path / "t").execute()
    assert "overwrite" not in str(caught.value)
    zarr.create_group(tmp_path / "t")
    rechunk(source, {"x": (40, 3)}, tmp_path / "t").execute()
    assert names(tmp_path / "t") == ["kept", "x"]


def test_a_group_in_the_way_of_a_run_is_left_alone(tmp_path: Path) -> None:
    """zarr.open() makes a group where a run has not published its own yet."""
    source = group_with("x", tmp_path / "s")
    errors: list[str] = []

    def look(*_: Any) -> None:
        if not errors:
            zarr.open(str(tmp_path / "t"))
            with pytest.raises(rechunker.TargetInUseError) as caught:
                rechunk(source, {"x": (5, 5)}, tmp_path / "t")
            errors.append(str(caught.value))

    rechunk(source, {"x": (40, 3)}, tmp_path / "t").execute(progress=look)
    assert "another run is to write a target of its own there" in errors[0]
    assert zarr.open_array(tmp_path / "t/x", mode="r").chunks == (40, 3)


def test_arrays_have_the_format_of_the_group_around_them(tmp_path: Path) -> None:
    source = group_with("x", tmp_path / "s")
    group_with("kept", tmp_path / "t", zarr_format=2)
    store = LocalStore(tmp_path / "t")
    rechunk(source, {"x": (40, 3)}, tmp_path / "t").execute()
    rechunk(source, {"x": (40, 3)}, StorePath(store, "a/b")).execute()
    rechunk(source["x"], (40, 3), StorePath(store, "c/d")).execute()
    assert names(tmp_path / "t") == ["a", "a/b", "a/b/x", "c", "c/d", "kept", "x"]
    options = {"x": {"zarr_format": 3}}
    with pytest.raises(ValueError, match="zarr_format=3, but the group of the array has"):
        rechunk(source, {"x": (40, 3)}, StorePath(store, "e"), target_options=options)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_consolidated_metadata_above_are_updated(tmp_path: Path, zarr_format: Any) -> None:
    source = group_with("x", tmp_path / "s", zarr_format=zarr_format)
    group_with("kept", tmp_path / "t", zarr_format=zarr_format).create_group("deep")
    zarr.consolidate_metadata(tmp_path / "t")
    rechunk(source, {"x": (40, 3)}, StorePath(LocalStore(tmp_path / "t"), "new/er")).execute()
    rechunk(source, {"x": (40, 3)}, tmp_path / "t/deep/er").execute()
    rechunk(source["x"], (40, 3), tmp_path / "t", array_name="y").execute()
    found = {name for name, _ in zarr.open_consolidated(tmp_path / "t").members(max_depth=None)}
    assert {"new/er/x", "deep/er/x", "y", "kept"} <= found


def test_slashes_around_paths_do_not_matter(tmp_path: Path) -> None:
    source = group_with("a/x", tmp_path / "s")
    chunks, options = {"/a/x": (40, 3)}, {"/a/x/": {"compressors": None}}
    plan = rechunk(
        source,
        chunks,
        tmp_path / "t",
        target_options=options,
        temp_store=tmp_path / "x",
        temp_options={"/a/x": {"compressor": None}},
    )
    assert plan.execute()["a/x"].compressors == ()
    with pytest.raises(ValueError, match="two entries for the array 'a/x'; give one"):
        rechunk(source, {"a/x": (40, 3), "/a/x": (5, 30)}, tmp_path / "u")


def test_the_name_of_the_array_in_a_temp_store_that_is_a_group_is_not_needed(
    tmp_path: Path,
) -> None:
    source, temp = group_with("x", tmp_path / "s")["x"], zarr.create_group(tmp_path / "temp")
    plan = rechunk(source, (40, 1), tmp_path / "t", max_mem="2kB", temp_store=temp, array_name="x")
    assert plan.intermediate is not None
    assert plan.execute().store_path.path == ""
    with pytest.raises(ValueError, match="there is no group at target_store"):
        rechunk(source, (40, 3), tmp_path / "u", array_name="x")


def test_nothing_is_left_of_groups_that_are_replaced_as_a_whole(tmp_path: Path) -> None:
    source = zarr.create_group(tmp_path / "s")
    source.create_group("a", attributes={"new": 1})
    source.create_array("a/x", shape=(4, 4), chunks=(2, 4), dtype="i4")[...] = 1
    there = zarr.create_group(tmp_path / "t", attributes={"old": 1})
    there.create_group("a", attributes={"old": 1})
    there.create_array("a/y", shape=(4, 4), chunks=(2, 4), dtype="i4")
    rechunk(source, {"a/x": (4, 2)}, tmp_path / "t", target_options={"overwrite": True}).execute()
    target = zarr.open_group(tmp_path / "t", mode="r")
    assert (dict(target.attrs), dict(target["a"].attrs)) == ({}, {"new": 1})
    assert names(tmp_path / "t") == ["a", "a/x"]
