"""Datasets: what is copied as it is stored, what is encoded anew, and how little is read."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from xarray.backends import BackendArray, BackendEntrypoint
from xarray.core import indexing
from xarray_climate import T, climate, planned, reader_of, stored

from rechunker.copying import ZarrReader


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return stored(climate(), tmp_path / "source.zarr")


# Raw copies


def test_an_untouched_variable_is_copied_as_it_is_stored(place: Path, tmp_path: Path) -> None:
    source = xr.open_zarr(place).drop_vars("lat").rename(air="wind").chunk(time=6)
    source["wind"].attrs["units"] = "m/s"
    assert isinstance(reader_of(source, "wind"), ZarrReader)
    planned(source, {"x": 5}, tmp_path).execute()
    xr.testing.assert_identical(source, xr.open_zarr(tmp_path / "target"))


TOUCHED: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "arithmetic": lambda data: data + 1,
    "a selection": lambda data: data.isel(time=slice(2, None)),
    "a step": lambda data: data.isel(x=slice(None, None, -1)),
    "a turn": lambda data: data.transpose("x", "y", "time", ...),
    "a mask": lambda data: data.where(data["x"] > 3),
    "sorting": lambda data: data.sortby("x", ascending=False),
    "a cast": lambda data: data.assign(air=data["air"].astype("f4")),
    "loading": lambda data: data.compute(),
}


@pytest.mark.parametrize("chunks", [{}, None], ids=["dask", "lazy"])
@pytest.mark.parametrize("change", TOUCHED)
def test_what_was_changed_is_encoded_anew(
    place: Path, tmp_path: Path, change: str, chunks: Any
) -> None:
    source = TOUCHED[change](xr.open_zarr(place, chunks=chunks)[["air"]].drop_vars("lat"))
    source["air"].encoding = {"_FillValue": np.nan}
    assert not isinstance(reader_of(source, "air"), ZarrReader)
    planned(source, {"x": 5}, tmp_path).execute()
    xr.testing.assert_identical(source.compute(), xr.open_zarr(tmp_path / "target").compute())


@pytest.mark.parametrize("word", ["scale_factor", "add_offset", "_FillValue", "dtype"])
def test_another_encoding_is_no_raw_copy(place: Path, word: str) -> None:
    source = xr.open_zarr(place)
    source["air"].encoding[word] = {"dtype": np.dtype("i4")}.get(word, -500)
    assert not isinstance(reader_of(source, "air"), ZarrReader)


@pytest.mark.parametrize("way", [{}, {"decode_cf": False}, {"chunks": None}])
def test_bytes_with_a_fill_value_are_copied_as_they_are(tmp_path: Path, way: Any) -> None:
    values = np.array([b"ab", b"--", b"cd"], "S2")
    data = xr.Dataset({"v": ("x", values, {"_FillValue": b"--", "units": "none"})})
    stored(data, tmp_path / "source", 2)  # in v3 xarray cannot read what it writes here
    planned(xr.open_zarr(tmp_path / "source", **way), {"x": 2}, tmp_path).execute()
    source, target = (xr.open_zarr(tmp_path / name, **way) for name in ("source", "target"))
    xr.testing.assert_identical(source, target)


# Files that are not Zarr


@pytest.mark.parametrize("engine", ["scipy", "h5netcdf"])
@pytest.mark.parametrize("way", [{"chunks": {"time": 5}}, {}, {"decode_cf": False}])
def test_netcdf(tmp_path: Path, engine: Any, way: dict[str, Any]) -> None:
    climate().to_netcdf(tmp_path / "source.nc", engine=engine)
    with xr.open_dataset(tmp_path / "source.nc", engine=engine, **way) as source:
        planned(source, {"time": T, "x": 1}, tmp_path).execute()
        target = xr.open_zarr(tmp_path / "target", decode_cf=way.get("decode_cf", True))
        xr.testing.assert_identical(source.compute(), target.compute())


def test_a_file_of_scipy_s_own(tmp_path: Path) -> None:
    path = str(files("scipy.io") / "tests/data/example_1.nc")
    with xr.open_dataset(path, engine="scipy") as source:
        planned(source, dict.fromkeys(source.dims, 2), tmp_path).execute()
        xr.testing.assert_identical(source.compute(), xr.open_zarr(tmp_path / "target").compute())


def test_xarray_s_own_test_data(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    for word in ("flaky", "network", "slow"):
        request.config.addinivalue_line("markers", f"{word}: of xarray's own tests")
    from xarray.tests import create_test_data

    source = create_test_data(use_extension_array=False)
    planned(source, {"time": 7, "dim2": 3}, tmp_path).execute()
    xr.testing.assert_identical(source, xr.open_zarr(tmp_path / "target").compute())


# Laziness


class Counted(BackendArray):
    """Numbers that know how many of them were asked for at a time."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.dtype = shape, np.dtype("f8")
        self.largest = self.total = 0

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self.read
        )

    def read(self, key: tuple[Any, ...]) -> Any:
        rows = np.arange(self.shape[0])[key[0]]
        part = np.broadcast_to(np.asarray(rows, "f8")[..., None], (*np.shape(rows), self.shape[1]))
        part = part[..., key[1]]
        self.largest, self.total = max(self.largest, part.size), self.total + part.size
        return part.copy()


class CountedBackend(BackendEntrypoint):
    def open_dataset(self, filename_or_obj: Any, *, drop_variables: Any = None) -> xr.Dataset:
        data = indexing.LazilyIndexedArray(filename_or_obj)
        return xr.Dataset({"v": xr.Variable(("a", "b"), data)})


def test_a_file_is_never_loaded_whole(tmp_path: Path) -> None:
    counted = Counted((4000, 500))  # 16 MB
    source = CountedBackend().open_dataset(counted)
    rechunked = planned(
        source, {"a": 4000, "b": 1}, tmp_path, max_mem="8MB", temp_store=tmp_path / "temp"
    )
    assert counted.total == 0
    rechunked.execute()
    assert counted.largest * 8 <= 2**20
    assert counted.total == 4000 * 500
    assert np.array_equal(xr.open_zarr(tmp_path / "target")["v"][:, 7], np.arange(4000))


def test_decoded_elements_are_counted(tmp_path: Path) -> None:
    values = np.zeros((100, 100), "i1")
    data = xr.Dataset({"v": (("a", "b"), values, {"scale_factor": 0.1})})
    place = stored(data, tmp_path / "source", encoding={"v": {"chunks": (100, 100)}})
    rechunked = planned(xr.open_zarr(place) * 2, {"a": 10}, tmp_path)
    assert rechunked.copy_plan["v"].footprint.read >= 8 * values.size
