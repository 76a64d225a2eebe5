"""Every nasty dataset, opened in every way, comes out as it went in."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from xarray_catalogue import CATALOGUE

from rechunker import rechunk
from rechunker.copying import ZarrReader
from rechunker.sources import hierarchy_of

WAYS: dict[str, dict[str, Any]] = {
    "dask": {"chunks": {}},
    "lazy": {"chunks": None},
    "memory": {"chunks": None},
    "undecoded": {"chunks": {}, "decode_cf": False},
}
# xarray refuses to encode two values for what is missing, unless nothing is to be encoded.
CANNOT_BE_ENCODED = {"two_missing_values"}


def store(dataset: xr.Dataset, place: Path, zarr_format: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how xarray has always written these
        dataset.to_zarr(place, zarr_format=zarr_format)


def opened(place: Path, way: str) -> xr.Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of times that numpy cannot hold, and the like
        dataset: xr.Dataset = xr.open_zarr(place, **WAYS[way])
        return dataset.load() if way == "memory" else dataset


def bits(array: zarr.Array[Any]) -> Any:
    values = np.asarray(array[...])
    return values.tolist() if values.dtype.kind in "OT" else values.tobytes()


def rechunked(dataset: xr.Dataset, target: Path) -> None:
    chunks = dict.fromkeys(dataset.dims, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xr.SerializationWarning)  # of integers without fill value
        rechunk(dataset, chunks, "1MB", target).execute()


CASES = [
    (name, way)
    for name in CATALOGUE
    for way in WAYS
    if not (way == "memory" and name in CANNOT_BE_ENCODED)
]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(("name", "way"), CASES)
def test_the_target_opens_as_the_source_does(
    tmp_path: Path, name: str, zarr_format: int, way: str
) -> None:
    source, target = tmp_path / "source.zarr", tmp_path / "target.zarr"
    store(CATALOGUE[name](), source, zarr_format)
    rechunked(opened(source, way), target)
    xr.testing.assert_identical(opened(source, way), opened(target, way))
    if way != "memory":
        check_stored(source, target)


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 2)])
@pytest.mark.parametrize("name", CATALOGUE)
def test_the_target_may_have_the_other_format(
    tmp_path: Path, name: str, before: int, after: int
) -> None:
    source, target = tmp_path / "source.zarr", tmp_path / "target.zarr"
    store(CATALOGUE[name](), source, before)
    rechunk(opened(source, "lazy"), None, "1MB", target, {"zarr_format": after}).execute()
    xr.testing.assert_identical(opened(source, "lazy"), opened(target, "lazy"))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(("name", "way"), [case for case in CASES if case[1] != "memory"])
def test_no_untouched_variable_is_encoded_anew(
    tmp_path: Path, name: str, zarr_format: int, way: str
) -> None:
    store(CATALOGUE[name](), tmp_path / "source.zarr", zarr_format)
    hierarchy = hierarchy_of(opened(tmp_path / "source.zarr", way), None, None, None)
    others = [a.name for a in hierarchy.arrays if not isinstance(a.source.reader, ZarrReader)]
    assert others == []


def check_stored(source: Path, target: Path) -> None:
    before, after = zarr.open_group(source, mode="r"), zarr.open_group(target, mode="r")
    assert dict(before.attrs) == dict(after.attrs)
    for name, array in before.arrays():
        copy = after[name]
        assert isinstance(copy, zarr.Array)
        assert bits(array) == bits(copy), name
        assert array.dtype == copy.dtype
        assert repr(dict(array.attrs)) == repr(dict(copy.attrs))
