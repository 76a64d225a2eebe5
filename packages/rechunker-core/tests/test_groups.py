"""Groups: the arrays that are named, in their hierarchy, with all attributes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from cases import about

import rechunker
from rechunker.metadata import group_files


def make_group(path: Path, zarr_format: Any = 3, times: int = 1) -> zarr.Group:
    root = zarr.create_group(path, attributes={"title": "all"}, zarr_format=zarr_format)
    deep = root.create_group("a/b", attributes={"level": 2})
    for place, name in ((root, "x"), (deep, "y"), (deep, "z")):
        shape = (40 * times, 30 * times)
        array = place.create_array(name, shape=shape, chunks=(4, 30 * times), dtype="f4")
        array[...] = np.arange(1200 * times**2).reshape(shape) + 1
        array.attrs["name"] = name
    return root


def rechunk(group: Any, chunks: Any, target: Any, **options: Any) -> rechunker.Rechunked[Any]:
    options = {"max_mem": "100kB", "executor": "python", **options}
    return rechunker.rechunk(group, chunks, target_store=target, **options)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_named_arrays_are_rechunked(tmp_path: Path, zarr_format: Any) -> None:
    group = make_group(tmp_path / "s", zarr_format)
    target = rechunk(group, {"x": (40, 3), "a/b/y": (10, 10)}, tmp_path / "t").execute()
    assert isinstance(target, zarr.Group)
    for name, chunks in {"x": (40, 3), "a/b/y": (10, 10)}.items():
        array: Any = target[name]
        np.testing.assert_array_equal(array[...], group[name][...])  # type: ignore[index]
        assert (array.chunks, dict(array.attrs)) == (chunks, {"name": name[-1]})


def test_arrays_that_are_not_named_are_left_out(tmp_path: Path) -> None:
    target = rechunk(make_group(tmp_path / "s"), {"x": None}, tmp_path / "t").execute()
    assert sorted(dict(target.members(max_depth=None))) == ["a", "a/b", "x"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_of_all_groups_are_kept(tmp_path: Path, zarr_format: Any) -> None:
    group = make_group(tmp_path / "s", zarr_format)
    rechunk(group, {"x": None}, tmp_path / "t").execute()
    again = zarr.open_group(tmp_path / "t", mode="r")
    assert dict(again.attrs) == {"title": "all"}
    assert dict(again["a/b"].attrs) == {"level": 2}


def test_root_is_published_last(tmp_path: Path) -> None:
    root = tmp_path / "t" / "zarr.json"
    seen: list[bool] = []
    plan = rechunk(make_group(tmp_path / "s"), {"x": (40, 3), "a/b/y": (10, 10)}, tmp_path / "t")
    plan.execute(progress=lambda *_: seen.append(root.exists()))
    assert not any(seen)
    assert root.exists()


def test_options_by_array(tmp_path: Path) -> None:
    options = {"x": {"compressors": None}}
    plan = rechunk(
        make_group(tmp_path / "s"),
        {"x": (40, 3), "a/b/y": (10, 10)},
        tmp_path / "t",
        target_options=options,
    )
    target: Any = plan.execute()
    assert target["x"].compressors == ()
    assert target["a/b/y"].compressors != ()


def test_group_as_target_keeps_what_it_has(tmp_path: Path) -> None:
    there = zarr.create_group(tmp_path / "t", attributes={"mine": 1})
    there.create_array("other", shape=(2,), dtype="i4")[...] = 7
    rechunk(make_group(tmp_path / "s"), {"x": (40, 3)}, there).execute()
    again: Any = zarr.open_group(tmp_path / "t", mode="r")
    assert dict(again.attrs) == {"mine": 1, "title": "all"}
    assert again["other"][0] == 7
    assert again["x"].chunks == (40, 3)


def test_array_in_the_way_is_an_error(tmp_path: Path) -> None:
    there = zarr.create_group(tmp_path / "t")
    there.create_array("x", shape=(2,), dtype="i4")
    with pytest.raises(FileExistsError, match="t/x"):
        rechunk(make_group(tmp_path / "s"), {"x": (40, 3)}, there)


def test_array_in_the_way_is_overwritten(tmp_path: Path) -> None:
    there = zarr.create_group(tmp_path / "t")
    there.create_array("x", shape=(2,), dtype="i4")
    options = {"x": {"overwrite": True}}
    rechunk(make_group(tmp_path / "s"), {"x": (40, 3)}, there, target_options=options).execute()
    again: Any = zarr.open_group(tmp_path / "t", mode="r")
    assert again["x"].shape == (40, 30)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_consolidated_source_gives_consolidated_target(tmp_path: Path) -> None:
    make_group(tmp_path / "s")
    group = zarr.consolidate_metadata(tmp_path / "s")
    rechunk(group, {"x": (40, 3)}, tmp_path / "t").execute()
    assert "x" in zarr.open_consolidated(str(tmp_path / "t"))


def test_many_arrays_share_a_temporary_store(tmp_path: Path) -> None:
    group = make_group(tmp_path / "s", times=5)
    chunks = dict.fromkeys(("x", "a/b/y", "a/b/z"), (200, 1))
    plan = rechunk(group, chunks, tmp_path / "t", max_mem=9000, temp_store=tmp_path / "temp")
    assert plan.intermediate is not None
    target: Any = plan.execute()
    for name in chunks:
        np.testing.assert_array_equal(target[name][...], group[name][...])  # type: ignore[index]
    assert not list((tmp_path / "temp").iterdir())


def test_memory_that_is_too_little_names_the_array(tmp_path: Path) -> None:
    with pytest.raises(rechunker.MemoryLimitError, match="array 'a/b/y': max_mem=100 B"):
        rechunk(make_group(tmp_path / "s"), {"a/b/y": (40, 3)}, tmp_path / "t", max_mem=100)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_xarray_wrote_opens_with_xarray(tmp_path: Path, zarr_format: Any) -> None:
    days = np.datetime64("2000-01-01", "ns") + np.arange(30) * np.timedelta64(1, "D")
    air = xr.DataArray(np.arange(600.0).reshape(30, 20), {"time": days}, ("time", "x"))
    made = xr.Dataset({"air": air}, attrs={"title": "maps"})
    encoding = {"air": {"chunks": (5, 20)}}
    made.to_zarr(tmp_path / "s", encoding=encoding, zarr_format=zarr_format, consolidated=False)
    group = zarr.open_group(tmp_path / "s", mode="r")
    rechunk(group, {"air": {"time": -1, "x": 2}, "time": None}, tmp_path / "t").execute()
    with xr.open_zarr(tmp_path / "t", consolidated=False) as target:
        xr.testing.assert_identical(target.load(), made)
        assert target["air"].encoding["chunks"] == (30, 2)


def test_sizes_of_dimensions_are_no_chunks_of_their_coordinates(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "s")
    for name, dims in {"time": ["time"], "v": ["time", "x"]}.items():
        shape = (8,) * len(dims)
        group.create_array(name, shape=shape, chunks=shape, dtype="f4", dimension_names=dims)
    both: Any = rechunker.rechunk(group, {"time": 4}, "1MB", tmp_path / "b", executor="python")
    target = both.execute()
    assert {name: array.chunks for name, array in target.arrays()} == {"time": (8,), "v": (4, 8)}
    alone = rechunker.rechunk(group, {"time": (4,)}, "1MB", tmp_path / "t", executor="python")
    assert alone.execute()["time"].chunks == (4,)  # type: ignore[union-attr]


@pytest.mark.parametrize("target", ["s/a", "s/sub", "s/new"])
def test_no_target_lies_in_a_source_group(tmp_path: Path, target: str) -> None:
    group = zarr.create_group(tmp_path / "s")
    for name in ("a", "sub/b"):
        group.create_array(name, shape=(8,), chunks=(2,), dtype="f4")
    with pytest.raises(ValueError, match="one lies in the other"):
        rechunker.rechunk(group, {"a": (8,)}, "1MB", tmp_path / target, executor="python")


def write_json(path: Path, document: Any, **changes: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**document, **changes}))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_members_that_nobody_asks_for_need_not_be_openable(
    tmp_path: Path, zarr_format: Any
) -> None:
    group = make_group(tmp_path / "s", zarr_format)
    name, key = (".zarray", "dtype") if zarr_format == 2 else ("zarr.json", "data_type")
    write_json(tmp_path / "s/odd" / name, read_json(tmp_path / "s/x" / name), **{key: "odd99"})
    write_json(tmp_path / "s/a/broken" / name, {})
    (tmp_path / "s/a/broken" / name).write_text("{")
    target = rechunk(group, {"x": (40, 3)}, tmp_path / "t").execute()
    assert sorted(dict(target.members(max_depth=None))) == ["a", "a/b", "x"]
    with pytest.raises(ValueError, match="array 'odd' of the source cannot be opened: .*odd99"):
        rechunk(group, {"odd": None}, tmp_path / "u")
    with pytest.raises(ValueError, match=r"no 'od'; did you mean 'odd'\?"):
        rechunk(group, {"od": None}, tmp_path / "u")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_array_is_found_where_a_group_around_it_has_no_metadata(
    tmp_path: Path, zarr_format: Any
) -> None:
    group = make_group(tmp_path / "s", zarr_format)
    for file in (tmp_path / "s/a").iterdir():
        if file.is_file():
            file.unlink()
    target: Any = rechunk(group, {"a/b/y": (40, 3)}, tmp_path / "t").execute()
    np.testing.assert_array_equal(target["a/b/y"][...], group["a/b/y"][...])  # type: ignore[index]
    found = {name: dict(node.attrs) for name, node in target.members(max_depth=None)}
    assert found == {"a": {}, "a/b": {"level": 2}, "a/b/y": {"name": "y"}}


def test_names_stay_in_their_group(tmp_path: Path) -> None:
    make_group(tmp_path / "s")
    group = zarr.open_group(tmp_path / "s/a", mode="r")
    for name in ("../x", "b//y", "b/../b/y", "./b/y", "*/q", 3):
        with about(name), pytest.raises(ValueError, match=re.escape(f"the source has no {name!r}")):
            rechunk(group, {name: None}, tmp_path / "t")


def test_what_others_keep_in_the_metadata_of_groups_stays(tmp_path: Path) -> None:
    group, there = make_group(tmp_path / "s", 2), zarr.create_group(tmp_path / "t", zarr_format=2)
    for file, key in (("s/.zgroup", "_nczarr"), ("s/a/b/.zgroup", "deep"), ("t/.zgroup", "own")):
        write_json(tmp_path / file, read_json(tmp_path / file), **{key: {"dims": [1]}})
    rechunk(group, {"x": None}, tmp_path / "new").execute()
    rechunk(group, {"x": None}, there).execute()
    plain = {"zarr_format": 2}
    ours = {**plain, "_nczarr": {"dims": [1]}}
    assert read_json(tmp_path / "new/.zgroup") == ours
    assert read_json(tmp_path / "new/a/.zgroup") == plain
    assert read_json(tmp_path / "new/a/b/.zgroup") == {**plain, "deep": {"dims": [1]}}
    assert read_json(tmp_path / "t/.zgroup") == {**ours, "own": {"dims": [1]}}
    in_format_3 = zarr.create_group(tmp_path / "u", attributes={"mine": 1}, zarr_format=3)
    rechunk(group, {"x": None}, in_format_3).execute()
    assert dict(zarr.open_group(tmp_path / "u").attrs) == {"mine": 1, "title": "all"}


def test_what_others_keep_in_a_group_of_format_3_stays() -> None:
    extra = {"extension": {"must_understand": False}}
    document = {"zarr_format": 3, "node_type": "group", "attributes": {"a": 1}, **extra}
    assert json.loads(group_files(document, 3)["zarr.json"]) == document
    assert json.loads(group_files(document, 2)[".zgroup"]) == {"zarr_format": 2}


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_consolidated_metadata_of_the_group_name_what_was_added(
    tmp_path: Path, zarr_format: Any
) -> None:
    zarr.create_group(tmp_path / "t", zarr_format=zarr_format).create_group("own")
    there = zarr.consolidate_metadata(tmp_path / "t")
    rechunk(make_group(tmp_path / "s", zarr_format), {"x": (40, 3)}, there).execute()
    assert sorted(zarr.open_consolidated(str(tmp_path / "t"))) == ["a", "own", "x"]
