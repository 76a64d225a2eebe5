"""Datasets: chunks, encodings, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import xarray as xr
import zarr
import zarr.codecs
from xarray_climate import T, X, Y, climate, planned, reader_of, stored

from rechunker import CopyError, rechunk
from rechunker.planning import MemoryLimitError
from rechunker.sources.dask import DaskReader


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return stored(climate(), tmp_path / "source.zarr")


def chunks_after(source: xr.Dataset, chunks: Any, tmp_path: Path) -> dict[str, Any]:
    group = planned(source, chunks, tmp_path).execute()
    assert isinstance(group, zarr.Group)
    return {name: array.chunks for name, array in group.arrays()}


# Chunks


def test_sizes_by_dimension_are_for_data_and_for_grids_of_coordinates(
    place: Path, tmp_path: Path
) -> None:
    found = chunks_after(xr.open_zarr(place), {"time": -1, "x": 5, "y": 100}, tmp_path)
    assert found == {
        "air": (T, Y, 5),
        "height": (Y, 5),
        "lat": (Y, 5),
        "time": (T,),
        "time_bnds": (T, 2),
        "x": (X,),
    }


def test_a_dimension_that_is_not_named_keeps_the_chunks_it_has(place: Path, tmp_path: Path) -> None:
    assert chunks_after(xr.open_zarr(place), {"x": 2}, tmp_path)["air"] == (4, Y, 2)


def test_a_dimension_that_is_not_named_keeps_the_blocks_of_dask(
    place: Path, tmp_path: Path
) -> None:
    source = xr.open_zarr(place).chunk(time=8)
    assert chunks_after(source, {"x": 2}, tmp_path)["air"] == (8, Y, 2)


@pytest.mark.parametrize("sizes", [(3, -1, 2), [3, Y, 2], {"time": 3, "x": 2}])
def test_chunks_by_variable(place: Path, tmp_path: Path, sizes: Any) -> None:
    found = chunks_after(xr.open_zarr(place), {"air": sizes}, tmp_path)
    assert (found["air"], found["height"], found["time"]) == ((3, Y, 2), (Y, X), (T,))


def test_coordinates_and_bounds_that_are_named_are_cut(place: Path, tmp_path: Path) -> None:
    chunks = {"time": (5,), "time_bnds": (5, 2), "x": (3,)}
    found = chunks_after(xr.open_zarr(place), chunks, tmp_path)
    assert (found["time"], found["time_bnds"], found["x"]) == ((5,), (5, 2), (3,))


def test_what_is_a_variable_and_a_dimension_is_told_by_its_value(
    place: Path, tmp_path: Path
) -> None:
    source, found = xr.open_zarr(place), {}
    for n, chunks in enumerate(
        [{"x": 5}, {"x": (5,)}, {"x": {"x": 5}}, {"x": None, "air": (1, Y, 5)}]
    ):
        (tmp_path / f"{n}").mkdir()
        found[n] = chunks_after(source, chunks, tmp_path / f"{n}")
    assert [found[n]["x"] for n in found] == [(X,), (5,), (5,), (X,)]
    assert [found[n]["air"] for n in found] == [(4, Y, 5), (4, Y, X), (4, Y, X), (1, Y, 5)]


def test_without_chunks_everything_stays_as_it_is(place: Path, tmp_path: Path) -> None:
    assert chunks_after(xr.open_zarr(place), None, tmp_path)["air"] == (4, Y, X)


def test_uneven_blocks_of_dask_are_read_whole(place: Path, tmp_path: Path) -> None:
    source = xr.open_zarr(place, chunks=None).isel(time=slice(1, None)).chunk({"time": (9, 2, 12)})
    assert reader_of(source, "air").grid[0] == (9, 2, 12)
    planned(source, {"time": 5}, tmp_path).execute()
    xr.testing.assert_identical(source.compute(), xr.open_zarr(tmp_path / "target").compute())


# Encodings


def test_options_update_the_encoding(place: Path, tmp_path: Path) -> None:
    options = {"air": {"compressors": None}}
    planned(xr.open_zarr(place), {"time": 6}, tmp_path, target_options=options).execute()
    array = zarr.open_array(tmp_path / "target/air", mode="r")
    assert (array.dtype, array.compressors) == (np.dtype("i2"), ())
    assert array.attrs["scale_factor"] == 0.5


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_compressor_may_be_given_in_words_of_v2(tmp_path: Path, zarr_format: int) -> None:
    source = xr.open_zarr(stored(climate(), tmp_path / "source", zarr_format))
    options = {"air": {"compressor": numcodecs.GZip(2)}}
    planned(source, {"time": 6}, tmp_path, target_options=options).execute()
    (codec,) = zarr.open_array(tmp_path / "target/air", mode="r").compressors
    assert type(codec).__name__.lower().startswith("gzip")


def test_another_packing_is_encoded_anew(place: Path, tmp_path: Path) -> None:
    options = {"air": {"scale_factor": 0.25, "dtype": "i4"}}
    assert isinstance(reader_of(xr.open_zarr(place), "air", options), DaskReader)
    planned(xr.open_zarr(place), {"time": 6}, tmp_path, target_options=options).execute()
    assert zarr.open_array(tmp_path / "target/air", mode="r").dtype == "i4"
    xr.testing.assert_identical(xr.open_zarr(place), xr.open_zarr(tmp_path / "target"))


def test_a_target_may_be_sharded(place: Path, tmp_path: Path) -> None:
    options = {"air": {"shards": {"time": 8, "y": -1, "x": -1}}}
    planned(xr.open_zarr(place), {"time": 2, "x": 5}, tmp_path, target_options=options).execute()
    array = zarr.open_array(tmp_path / "target/air", mode="r")
    assert (array.chunks, array.shards) == ((2, Y, 5), (8, Y, X))
    xr.testing.assert_identical(xr.open_zarr(place), xr.open_zarr(tmp_path / "target"))


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 2)])
def test_the_other_format_keeps_packing_codecs_and_numbers(
    tmp_path: Path, before: int, after: int
) -> None:
    data = climate()
    codec = numcodecs.GZip(3) if before == 2 else zarr.codecs.GzipCodec(level=3)
    data["air"].encoding["compressors"] = codec
    source = stored(data, tmp_path / "source", before)
    options = {"zarr_format": after}
    rechunked = planned(xr.open_zarr(source), {"time": 5}, tmp_path, target_options=options)
    group = rechunked.execute()
    xr.testing.assert_identical(xr.open_zarr(source), xr.open_zarr(tmp_path / "target"))
    assert group.metadata.zarr_format == after
    assert "3" in repr(group["air"].compressors)
    assert np.array_equal(zarr.open_array(source / "air", mode="r")[...], group["air"][...])


def test_the_format_of_a_group_is_that_of_the_target(place: Path, tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "target", zarr_format=2)
    target = rechunk(xr.open_zarr(place), {"time": 5}, "1MB", group, executor="python").execute()
    assert target.metadata.zarr_format == 2
    xr.testing.assert_identical(xr.open_zarr(place), xr.open_zarr(tmp_path / "target"))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_target_is_consolidated(tmp_path: Path, zarr_format: int) -> None:
    source = stored(climate(), tmp_path / "source", zarr_format)
    planned(xr.open_zarr(source), {"time": 5}, tmp_path).execute()
    opened = xr.open_zarr(tmp_path / "target", consolidated=True)  # warnings are errors here
    xr.testing.assert_identical(xr.open_zarr(source), opened)


def test_the_text_of_units_is_kept_when_times_are_encoded(place: Path, tmp_path: Path) -> None:
    planned(xr.open_zarr(place).load(), {"time": 5}, tmp_path).execute()
    for name in ("time", "time_bnds"):
        before, after = (zarr.open_array(p / name, mode="r") for p in (place, tmp_path / "target"))
        assert before.attrs["units"] == after.attrs["units"]


def test_temp_options_have_no_effect(place: Path, tmp_path: Path) -> None:
    options = {"air": {"scale_factor": 0.25}}
    planned(
        xr.open_zarr(place),
        {"air": (T, 1, 1)},
        tmp_path,
        temp_store=tmp_path / "temp",
        temp_options=options,
        max_mem=9000,
    ).execute()
    xr.testing.assert_identical(xr.open_zarr(place), xr.open_zarr(tmp_path / "target"))


def test_text_may_travel_through_temporary_objects(tmp_path: Path) -> None:
    names = np.array([f"station {i} " + "x" * (i % 30) for i in range(400)], object)
    source = xr.Dataset({"name": (("a", "b"), names.reshape(20, 20))}).chunk(a=1)
    planned(source, {"a": 20, "b": 1}, tmp_path, temp_store=tmp_path / "t", max_mem=9000).execute()
    assert np.array_equal(xr.open_zarr(tmp_path / "target")["name"], source["name"])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_missing_text_is_stored_as_xarray_stores_it(tmp_path: Path, zarr_format: Any) -> None:
    strings = np.dtypes.StringDType
    text = {
        "none": np.array(["foo", None, "ba"], strings(na_object=None)),
        "nan": np.array(["foo", np.nan, "ba"], strings(na_object=np.nan)),
        "word": np.array(["foo", "NA", "ba"], strings(na_object="NA")),
        "object": np.array(["foo", None, np.nan], object),
        "filled": np.array(["foo", None, "ba"], strings(na_object=None)),
    }
    source = xr.Dataset({name: ("x", values) for name, values in text.items()})
    source["filled"].encoding["_FillValue"] = "-"
    options = {"zarr_format": zarr_format, "overwrite": True}
    stored(source, tmp_path / "expected", zarr_format)
    for made in (source, source.chunk(x=1)):
        target = planned(made, {"x": 2}, tmp_path, target_options=options).execute()
        for name, array in zarr.open_group(tmp_path / "expected", mode="r").arrays():
            assert target[name][...].tolist() == array[...].tolist(), name  # type: ignore[union-attr]


def test_an_existing_target_is_replaced_if_that_is_said(place: Path, tmp_path: Path) -> None:
    source = xr.open_zarr(place)
    planned(source, {"time": 5}, tmp_path).execute()
    with pytest.raises(FileExistsError, match="overwrite"):
        planned(source, {"time": 6}, tmp_path)
    target = planned(source, {"time": 6}, tmp_path, target_options={"overwrite": True}).execute()
    assert target["air"].chunks == (6, Y, X)


def test_numbers_among_text_are_no_text(tmp_path: Path) -> None:
    source = xr.Dataset({"name": ("x", np.array(["foo", 3.5], object))}).chunk(x=1)
    with pytest.raises(CopyError, match=r"among the strings is 3\.5, of type float"):
        planned(source, {"x": 2}, tmp_path).execute()


# What is refused


BYTES = zarr.codecs.BytesCodec()
BAD: dict[str, tuple[Any, Any, type[Exception], str]] = {
    "an unknown name": ({"tine": 5}, None, ValueError, "did you mean 'time'"),
    "no dict": ((5, 5, 5), None, TypeError, "by name of its dimensions"),
    "one variable twice": ({"air": (1, 1, 1), "/air": None}, None, ValueError, "two entries"),
    "an unknown name next to None": ({"lat": None, "tine": 5}, None, ValueError, "'time'"),
    "sizes of a dimension": ({"y": (3, 3)}, None, TypeError, "one size"),
    "too few sizes": ({"air": (5, 5)}, None, ValueError, "3 axes"),
    "size 0": ({"x": 0}, None, ValueError, "positive"),
    "a foreign dimension": ({"air": {"bnds": 2}}, None, ValueError, "'bnds'"),
    "options of no variable": ({}, {"wind": {}}, ValueError, "'wind'"),
    "an unknown word": ({}, {"air": {"compresor": None}}, ValueError, "did you mean 'compressor'"),
    "chunks in options": ({}, {"air": {"chunks": (1, 1, 1)}}, ValueError, "by target_chunks"),
    "order": ({}, {"air": {"order": "F"}}, ValueError, "TransposeCodec"),
    "both words": ({}, {"air": {"compressor": None, "compressors": None}}, ValueError, "the same"),
    "no codec": ({}, {"air": {"compressors": 3}}, TypeError, "3 is not a codec"),
    "no serializer": ({}, {"air": {"serializer": []}}, TypeError, "give one codec"),
    "serializers": ({}, {"air": {"serializer": [BYTES, BYTES]}}, TypeError, "give one codec"),
    "odd shards": ({"x": 4}, {"air": {"shards": (4, 6, 6)}}, ValueError, "not a multiple"),
    "format 1": ({}, {"zarr_format": 1}, ValueError, "2 or 3"),
    "shards in v2": (
        {},
        {"zarr_format": 2, "air": {"shards": (4, 6, 10)}},
        ValueError,
        "no shards",
    ),
    "no dict of options": ({}, {"air": 3}, TypeError, "a dict"),
    "overwrite by number": ({}, {"air": {"overwrite": 1}}, TypeError, "True or False"),
    "shards of no dimension": ({}, {"*": {"shards": {"z": 5}}}, ValueError, "no 'z'"),
}


@pytest.mark.parametrize("case", BAD)
def test_nothing_is_written_where_something_is_wrong(
    place: Path, tmp_path: Path, case: str
) -> None:
    chunks, options, error, message = BAD[case]
    with pytest.raises(error, match=message):
        planned(xr.open_zarr(place), chunks, tmp_path, target_options=options)
    assert not (tmp_path / "target").exists()


def test_a_multiindex_is_refused(tmp_path: Path) -> None:
    source = climate()[["height"]].stack(point=("y", "x"))
    with pytest.raises(ValueError, match="reset_index"):
        planned(source, {"point": 5}, tmp_path)


def test_two_values_for_what_is_missing_are_refused_where_they_must_be_encoded(
    tmp_path: Path,
) -> None:
    source = xr.Dataset({"v": ("x", np.arange(4.0))})
    source["v"].encoding = {"missing_value": -1.0, "_FillValue": -2.0}
    with pytest.raises(ValueError, match="conflict"):
        planned(source, {"x": 2}, tmp_path)


def test_a_name_for_the_array_is_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names of their own"):
        planned(xr.open_zarr(place), {"x": 5}, tmp_path, array_name="air")


def test_the_source_is_not_overwritten(place: Path) -> None:
    opened = xr.open_zarr(place)[["air"]].reset_coords(drop=True)
    options: dict[str, Any] = {"target_options": {"overwrite": True}, "executor": "python"}
    for source in (opened, opened + 1, xr.open_zarr(place, chunks=None).isel(x=slice(3))):
        with pytest.raises(ValueError, match="never changed"):
            rechunk(source, {"x": 5}, "1MB", place, **options)


def test_too_little_memory_is_told(place: Path, tmp_path: Path) -> None:
    with pytest.raises(MemoryLimitError) as caught:
        planned(xr.open_zarr(place), {"x": 5}, tmp_path, max_mem=1000)
    assert caught.value.needed > 1000
