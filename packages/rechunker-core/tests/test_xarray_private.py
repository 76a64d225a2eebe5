"""The private names of xarray that are used are still there, and mean what they meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from rechunker.sources.xarray.private import arrays_read, is_lazy, stored_array


@pytest.fixture
def place(tmp_path: Path) -> Path:
    group = zarr.create_group(tmp_path / "source.zarr", zarr_format=2)
    for name, dtype, attrs in (
        ("plain", "i4", {}),
        ("packed", "i2", {"scale_factor": 0.5, "add_offset": 1.0}),
        ("unsigned", "i1", {"_Unsigned": "true"}),
        ("times", "f8", {"units": "days since 2000-01-01"}),
        ("flags", "i1", {"dtype": "bool"}),
        ("turned", ">f4", {}),
    ):
        array = group.create_array(name, shape=(8, 8), chunks=(4, 4), dtype=dtype, fill_value=9)
        array[...] = np.arange(64).reshape(8, 8) % 7
        array.attrs.update({"_ARRAY_DIMENSIONS": ["a", "b"], **attrs})
    return tmp_path / "source.zarr"


NAMES = ["plain", "packed", "unsigned", "times", "flags", "turned"]
WAYS: dict[str, Any] = {"dask": {}, "lazy": None, "larger": {"a": 8}}
each_way = pytest.mark.parametrize("way", WAYS)


def opened(place: Path, way: str, **kwargs: Any) -> xr.Dataset:
    dataset: xr.Dataset = xr.open_zarr(place, chunks=WAYS[way], consolidated=False, **kwargs)
    return dataset


def packed(place: Path, way: str) -> xr.Variable:
    return opened(place, way).variables["packed"]


@each_way
@pytest.mark.parametrize("decode_cf", [True, False])
def test_the_array_of_an_untouched_variable_is_found(
    place: Path, way: str, decode_cf: bool
) -> None:
    dataset = opened(place, way, decode_cf=decode_cf)
    for name in NAMES:
        found = stored_array(dataset.variables[name])
        assert found is not None, name
        assert found.name == f"/{name}"


CHANGES: dict[str, Callable[[xr.Variable], xr.Variable]] = {
    "arithmetic": lambda variable: (
        variable + variable.dtype.type(0)
        if variable.dtype.kind != "M"
        else variable + np.timedelta64(0, "ns")
    ),
    "a part": lambda variable: variable.isel(a=slice(0, 7)),
    "another order": lambda variable: variable.isel(a=slice(None, None, -1)),
    "some rows": lambda variable: variable.isel(a=[0, 1, 2, 3, 4, 5, 6, 7]),
    "turned": lambda variable: variable.transpose("b", "a"),
    "loaded": lambda variable: variable.compute(),
}


@pytest.mark.parametrize("way", ["dask", "lazy"])
@pytest.mark.parametrize("change", CHANGES)
def test_the_array_of_a_changed_variable_is_not_found(place: Path, way: str, change: str) -> None:
    dataset = opened(place, way)
    for name in NAMES:
        assert stored_array(CHANGES[change](dataset.variables[name])) is None, name


def test_what_a_changed_variable_reads_is_known(place: Path) -> None:
    for change in ("arithmetic", "a part", "turned"):
        ((found, in_group),) = arrays_read(CHANGES[change](packed(place, "dask")))
        assert (found.name, in_group) == ("/packed", True), change


def test_what_is_loaded_is_told_from_what_is_not(place: Path) -> None:
    lazy = packed(place, "lazy")
    assert [is_lazy(v) for v in (lazy, lazy.chunk(), lazy.compute())] == [True, False, False]


def test_a_variable_that_xarray_has_loaded_by_the_way_is_not_lazy(place: Path) -> None:
    lazy = packed(place, "lazy")
    assert lazy.values.any()
    assert not is_lazy(lazy)
    assert stored_array(lazy) is None
