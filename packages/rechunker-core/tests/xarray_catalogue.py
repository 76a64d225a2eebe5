"""Datasets with everything that is hard to copy without losing something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cftime
import numpy as np
import pandas as pd
import xarray as xr

__all__ = ["CATALOGUE"]

CATALOGUE: dict[str, Callable[[], xr.Dataset]] = {}

T, Y, X = 12, 5, 7


def entry(make: Callable[[], xr.Dataset]) -> Callable[[], xr.Dataset]:
    CATALOGUE[make.__name__] = make
    return make


def numbers(dtype: Any = "f8", shape: tuple[int, ...] = (T, Y, X)) -> Any:
    values = np.random.default_rng(7).integers(-100, 100, shape)
    return values.astype(dtype) if np.dtype(dtype).kind != "u" else abs(values).astype(dtype)


def cube(values: Any, **attrs: Any) -> tuple[tuple[str, ...], Any, dict[str, Any]]:
    return ("time", "y", "x")[: np.ndim(values)], values, attrs


def times(n: int = T) -> pd.DatetimeIndex:
    return pd.date_range("2000-01-01", periods=n, freq="6h")


def encoded(dataset: xr.Dataset, **encodings: dict[str, Any]) -> xr.Dataset:
    for name, encoding in encodings.items():
        dataset[name].encoding = encoding
    return dataset


def stored(values: Any, **attrs: Any) -> xr.Dataset:
    """A variable as it lies in a store, with attributes that say how to decode it."""
    return xr.Dataset({"v": cube(values, **attrs)})


@entry
def plain_floats() -> xr.Dataset:
    return xr.Dataset({"v": cube(numbers())}, {"time": times(), "y": np.arange(Y)})


@entry
def floats_with_nan_and_without_fill() -> xr.Dataset:
    values = numbers("f4")
    values[::2, 1] = np.nan
    return encoded(xr.Dataset({"v": cube(values)}), v={"_FillValue": None})


@entry
def packed_int16() -> xr.Dataset:
    values = numbers() / 8
    values[3] = np.nan
    how = {"dtype": "i2", "scale_factor": 0.125, "add_offset": 3.0, "_FillValue": -32767}
    return encoded(xr.Dataset({"v": cube(values)}, {"time": times()}), v=how)


@entry
def packed_unsigned_bytes() -> xr.Dataset:
    return stored(numbers("i1"), _Unsigned="true", scale_factor=0.5, _FillValue=np.int8(-1))


@entry
def packed_int64() -> xr.Dataset:
    return stored(numbers("i8") * 10**15 + 7, scale_factor=1e-3, add_offset=1e9)


@entry
def packed_float64() -> xr.Dataset:
    return stored(numbers() / 3, scale_factor=0.1, add_offset=-7.3)


@entry
def packed_float32() -> xr.Dataset:
    return stored(numbers("f4") / 7, scale_factor=np.float32(0.1), add_offset=np.float32(1))


@entry
def int64_with_fill() -> xr.Dataset:
    values = numbers("i8") * 2**55 + 12345
    return stored(values, _FillValue=np.int64(-(2**63)))


@entry
def nan_beside_a_numeric_fill() -> xr.Dataset:
    values = numbers("f4")
    values[0], values[1] = np.nan, -9999.0
    return stored(values, _FillValue=np.float32(-9999.0))


@entry
def missing_value() -> xr.Dataset:
    values = numbers("i4")
    values[0] = -999
    return stored(values, missing_value=np.int32(-999), _FillValue=np.int32(-999))


@entry
def two_missing_values() -> xr.Dataset:
    return stored(numbers("i2"), missing_value=np.int16(-99), _FillValue=np.int16(-98))


@entry
def times_of_integers() -> xr.Dataset:
    how = {"units": "hours since 1999-12-31 12:00:00", "calendar": "proleptic_gregorian"}
    data = xr.Dataset({"v": cube(numbers())}, {"time": times()})
    return encoded(data, time={**how, "dtype": "i4"})


@entry
def times_of_floats() -> xr.Dataset:
    axis = np.arange(T) / 3 + 0.1
    return xr.Dataset(
        {"v": cube(numbers())},
        {"time": ("time", axis, {"units": "days since 1979-01-01 00:00:00"})},
    )


@entry
def times_not_of_an_axis() -> xr.Dataset:
    units = {"units": "seconds since 2001-02-03T04:05:06", "calendar": "standard"}
    return stored(numbers("f8") / 7, **units)


@entry
def calendar_without_leap_days() -> xr.Dataset:
    words = {"units": "days since 0001-01-01 00:00:00", "calendar": "noleap"}
    return xr.Dataset({"v": cube(numbers())}, {"time": ("time", np.arange(T) * 91.3 + 0.25, words)})


@entry
def calendar_of_360_days() -> xr.Dataset:
    axis = xr.date_range("2000-02-28", periods=T, calendar="360_day", use_cftime=True)
    assert isinstance(axis[0], cftime.Datetime360Day)
    return xr.Dataset({"v": cube(numbers())}, {"time": axis})


@entry
def times_with_gaps() -> xr.Dataset:
    values = times().values.copy()
    values[3] = np.datetime64("NaT", "ns")
    how = {"units": "seconds since 2000-01-01", "dtype": "f8"}
    return encoded(xr.Dataset({"v": ("time", values)}), v=how)


@entry
def times_with_bounds() -> xr.Dataset:
    edges = np.stack([times(), times() + pd.Timedelta("6h")], axis=1)
    data = xr.Dataset(
        {"v": cube(numbers()), "time_bnds": (("time", "bnds"), edges)},
        {"time": ("time", times(), {"bounds": "time_bnds"})},
    )
    how = {"units": "hours since 2000-01-01", "dtype": "i8", "calendar": "standard"}
    return encoded(data, time=dict(how), time_bnds=dict(how))


@entry
def timedeltas() -> xr.Dataset:
    values = np.arange(T).astype("m8[h]").astype("m8[ns]")
    return xr.Dataset({"lead": ("step", values)}, {"step": values})


@entry
def fixed_strings() -> xr.Dataset:
    return xr.Dataset(
        {"v": ("x", np.array(["a", "bc", "déf"])), "w": ("x", np.array([b"a", b"b", b"cd"]))}
    )


@entry
def objects_of_text() -> xr.Dataset:
    values = np.array(["", "a long one, of more than sixteen bytes", "ü"], object)
    return xr.Dataset({"v": ("x", values)}, {"x": np.array(["p", "q", "r"], object)})


@entry
def encoded_bytes() -> xr.Dataset:
    values = np.array([b"abc", "dü".encode(), b""], "S4")
    return xr.Dataset({"v": ("x", values, {"_Encoding": "utf-8"})})


@entry
def numpy_strings() -> xr.Dataset:
    values = np.array(
        ["one", "", "a long one, of more than sixteen bytes"], np.dtypes.StringDType()
    )
    return xr.Dataset({"v": ("x", values)})


@entry
def booleans() -> xr.Dataset:
    return xr.Dataset({"v": cube(numbers() > 0)}, {"flag": ("x", np.arange(X) % 2 == 0)})


@entry
def bytes_that_are_booleans() -> xr.Dataset:
    return stored((numbers() > 0).astype("i1"), dtype="bool")


@entry
def scalars() -> xr.Dataset:
    return xr.Dataset(
        {"v": ((), 3.5), "crs": ((), 0, {"grid_mapping_name": "latitude_longitude"})},
        {"when": np.datetime64("2000-01-01", "ns"), "label": "a scalar"},
    )


@entry
def grid_mapping() -> xr.Dataset:
    data = xr.Dataset(
        {"v": cube(numbers("i4"))}, {"crs": ((), 0, {"grid_mapping_name": "mercator"})}
    )
    data["v"].attrs["grid_mapping"] = "crs"
    return data


@entry
def no_elements() -> xr.Dataset:
    return xr.Dataset({"v": cube(np.zeros((0, Y, X)))}, {"time": times(0)})


@entry
def no_variables() -> xr.Dataset:
    return xr.Dataset(attrs={"title": "nothing but a title", "version": 3})


@entry
def coordinates_of_two_dimensions() -> xr.Dataset:
    grid = numbers("f8", (Y, X))
    return xr.Dataset(
        {"v": cube(numbers()), "unrelated": ("k", np.arange(3))},
        {"lat": (("y", "x"), grid), "lon": (("y", "x"), grid + 1), "run": 5, "far": ("q", [1, 2])},
    )


@entry
def complex_numbers() -> xr.Dataset:
    return xr.Dataset({"v": cube(numbers() + 1j * numbers())})


@entry
def all_sizes_of_integers() -> xr.Dataset:
    kinds = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
    data = xr.Dataset({kind: cube(numbers(kind)) for kind in kinds})
    data["u8"].values[0, 0, 0] = 2**64 - 1
    return data


@entry
def half_precision() -> xr.Dataset:
    return xr.Dataset({"v": cube(numbers("f2"))})


@entry
def big_endian() -> xr.Dataset:
    return xr.Dataset({"v": cube(numbers(">i4")), "w": cube(numbers(">f8"))})


@entry
def special_floats() -> xr.Dataset:
    values = numbers()
    values[0, 0, :5] = [np.inf, -np.inf, -0.0, np.nan, 5e-324]
    return encoded(xr.Dataset({"v": cube(values)}), v={"_FillValue": np.inf})


@entry
def attributes_of_all_kinds() -> xr.Dataset:
    attrs = {"text": "ü\n", "none": "", "number": 1.5, "list": [1, 2, 3], "array": np.arange(2.0)}
    return xr.Dataset({"v": cube(numbers(), **attrs, gap=np.nan)}, attrs=attrs)


@entry
def names_with_blanks() -> xr.Dataset:
    return xr.Dataset(
        {"air temperature": ("the time", np.arange(5.0)), "été": ("the time", [1] * 5)}
    )


@entry
def unlimited_dimension() -> xr.Dataset:
    data = xr.Dataset({"v": cube(numbers("f4"))}, {"time": times()})
    data.encoding["unlimited_dims"] = {"time"}
    return encoded(data, v={"chunks": (1, Y, X)}, time={"chunks": (1,)})


@entry
def descending_and_repeated_axes() -> xr.Dataset:
    return xr.Dataset({"v": cube(numbers())}, {"y": [5, 4, 3, 2, 1], "x": [0, 0, 1, 1, 2, 2, 3]})


@entry
def mostly_missing() -> xr.Dataset:
    values = np.full((T, Y, X), np.nan)
    values[4, 2, 2] = 1
    how = {"dtype": "i2", "_FillValue": -1, "chunks": (3, 5, 2)}
    return encoded(xr.Dataset({"v": cube(values)}), v=how)
