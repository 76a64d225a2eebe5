"""A small dataset as it is stored, and how it is rechunked."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from rechunker import Rechunked, rechunk
from rechunker.sources import hierarchy_of

T, Y, X = 24, 6, 10
PACKED = {"dtype": "i2", "scale_factor": 0.5, "add_offset": 1.0, "_FillValue": -999}


def climate() -> xr.Dataset:
    values = np.random.default_rng(1).integers(0, 100, (T, Y, X)) / 2
    times = np.datetime64("2001-01-01", "ns") + np.arange(T) * np.timedelta64(1, "h")
    bounds = np.stack([times, times + np.timedelta64(1, "h")], axis=1)
    data = xr.Dataset(
        {
            "air": (("time", "y", "x"), values, {"units": "K"}),
            "height": (("y", "x"), values[0]),
            "time_bnds": (("time", "bnds"), bounds),
        },
        {
            "time": ("time", times, {"bounds": "time_bnds"}),
            "x": np.arange(X),
            "lat": (("y", "x"), values[1]),
        },
        {"title": "made up"},
    )
    data["air"].encoding = {**PACKED, "chunks": (4, Y, X)}
    units = {"units": "hours since 2001-01-01 00:00:00", "dtype": "i8", "calendar": "standard"}
    data["time"].encoding, data["time_bnds"].encoding = dict(units), dict(units)
    return data


def stored(dataset: xr.Dataset, place: Path, zarr_format: int = 3, **kwargs: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that v3 does not specify what xarray writes
        dataset.to_zarr(place, zarr_format=zarr_format, **kwargs)
    return place


def planned(source: xr.Dataset, chunks: Any, tmp_path: Path, **kwargs: Any) -> Rechunked:
    kwargs = {"max_mem": "1MB", "executor": "python", **kwargs}
    return rechunk(source, chunks, target_store=tmp_path / "target", **kwargs)


def reader_of(source: xr.Dataset, name: str, options: Any = None) -> Any:
    arrays = hierarchy_of(source, {}, options, None).arrays
    return next(array.source.reader for array in arrays if array.name == name)
