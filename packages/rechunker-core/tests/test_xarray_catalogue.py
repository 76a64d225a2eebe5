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

from rechunker import Rechunked, rechunk
from rechunker.reading import ZarrReader

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
        dataset = xr.open_zarr(place, **WAYS[way])
        return dataset.load() if way == "memory" else dataset


def bits(array: zarr.Array[Any]) -> Any:
    values = np.asarray(array[...])
    return values.tolist() if values.dtype.kind in "OT" else values.tobytes()


def planned(place: Path, target: Path, way: str, **options: Any) -> Rechunked:
    dataset = opened(place, way)
    chunks = {dim: 3 for dim in dataset.dims}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=xr.SerializationWarning)
        return rechunk(dataset, chunks, "1MB", target, **options)


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
    rechunked = planned(source, target, way)
    rechunked.execute()
    xr.testing.assert_identical(opened(source, way), opened(target, way))
    if way != "memory":
        check_stored(rechunked, source, target)


def check_stored(rechunked: Rechunked, source: Path, target: Path) -> None:
    jobs = rechunked._reopen.__self__.jobs
    encoded = [job.name for job in jobs if not isinstance(job.source.reader, ZarrReader)]
    assert encoded == []
    before, after = zarr.open_group(source, mode="r"), zarr.open_group(target, mode="r")
    assert dict(before.attrs) == dict(after.attrs)
    for name, array in before.arrays():
        assert bits(array) == bits(after[name]), name
        assert array.dtype == after[name].dtype
        assert repr(dict(array.attrs)) == repr(dict(after[name].attrs))
