"""Xarray datasets as sources, rechunked by Dask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from distributed import Client

from rechunker import rechunk


@pytest.fixture
def maps(tmp_path: Path) -> xr.Dataset:
    """Write a dataset of packed numbers, times and strings, and open it."""
    shape = (48, 10, 12)
    made = xr.Dataset(
        {
            "air": (("time", "y", "x"), np.arange(5760.0).reshape(shape), {"units": "K"}),
            "station": ("x", [f"at {i}" for i in range(12)]),
        },
        {"time": np.datetime64("2000-01-01", "ns") + np.arange(48) * np.timedelta64(1, "h")},
    )
    packing = {"dtype": "i4", "scale_factor": 0.5, "_FillValue": -999, "chunks": (4, 10, 12)}
    made.to_zarr(tmp_path / "maps", zarr_format=2, encoding={"air": packing})
    opened: xr.Dataset = xr.open_zarr(tmp_path / "maps")
    return opened


def check(source: xr.Dataset, tmp_path: Path, **kwargs: Any) -> None:
    rechunked = rechunk(
        source,
        {"time": -1, "x": 3},
        "100kB",
        tmp_path / "series",
        executor="dask",
        temp_store=tmp_path / "temp",
    )
    rechunked.execute(**kwargs)
    target = xr.open_zarr(tmp_path / "series")
    xr.testing.assert_identical(source.compute(), target.compute())
    assert target["air"].encoding["chunks"] == (48, 10, 3)


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_untouched_variables(maps: xr.Dataset, tmp_path: Path, scheduler: str) -> None:
    check(maps, tmp_path, scheduler=scheduler)
    raw: list[Any] = [zarr.open_group(tmp_path / name)["air"] for name in ("maps", "series")]
    np.testing.assert_array_equal(raw[0][...], raw[1][...])


def test_variables_that_must_be_encoded(maps: xr.Dataset, tmp_path: Path) -> None:
    check(maps.assign(air=maps["air"].copy(data=maps["air"].data * 2)), tmp_path)


def test_variables_in_memory(maps: xr.Dataset, tmp_path: Path) -> None:
    check(maps.load(), tmp_path)


def test_on_a_cluster(maps: xr.Dataset, tmp_path: Path, client: Client) -> None:
    check(maps.assign(air=maps["air"].copy(data=maps["air"].data * 2)), tmp_path)
