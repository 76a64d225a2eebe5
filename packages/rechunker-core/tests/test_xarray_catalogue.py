"""Every nasty dataset, opened in every way, comes out as it went in."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from cases import about
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
        rechunk(dataset, chunks, "1MB", target, executor="python").execute()


def ways_of(name: str, zarr_format: int, thorough: bool) -> list[str]:
    """Return the ways to open a dataset: all of them, or one that is another for its neighbors."""
    ways = [way for way in WAYS if not (way == "memory" and name in CANNOT_BE_ENCODED)]
    turn = list(CATALOGUE).index(name) + zarr_format
    return ways if thorough else [ways[turn % len(ways)]]


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("name", CATALOGUE)
def test_a_dataset_comes_out_as_it_went_in(
    tmp_path: Path, name: str, zarr_format: int, thorough: bool
) -> None:
    source = tmp_path / "source.zarr"
    store(CATALOGUE[name](), source, zarr_format)
    for way in ways_of(name, zarr_format, thorough):
        with about(f"{way}: the target opens as the source does"):
            check_target(source, tmp_path / f"{way}.zarr", way)
        if way != "memory":
            with about(f"{way}: the target stores what the source stores"):
                check_stored(source, tmp_path / f"{way}.zarr")
            with about(f"{way}: no untouched variable is encoded anew"):
                check_untouched(source, way)
    with about("the target may have the other format"):
        check_other_format(source, tmp_path / "other.zarr", 5 - zarr_format)


def check_target(source: Path, target: Path, way: str) -> None:
    rechunked(opened(source, way), target)
    xr.testing.assert_identical(opened(source, way), opened(target, way))


def check_untouched(source: Path, way: str) -> None:
    hierarchy = hierarchy_of(opened(source, way), None, None, None)
    others = [a.name for a in hierarchy.arrays if not isinstance(a.source.reader, ZarrReader)]
    assert others == []


def check_other_format(source: Path, target: Path, zarr_format: int) -> None:
    options = {"zarr_format": zarr_format}
    rechunk(opened(source, "lazy"), None, "1MB", target, options, executor="python").execute()
    xr.testing.assert_identical(opened(source, "lazy"), opened(target, "lazy"))


def check_stored(source: Path, target: Path) -> None:
    before, after = zarr.open_group(source, mode="r"), zarr.open_group(target, mode="r")
    assert dict(before.attrs) == dict(after.attrs)
    for name, array in before.arrays():
        copy = after[name]
        assert isinstance(copy, zarr.Array)
        assert bits(array) == bits(copy), name
        assert array.dtype == copy.dtype
        assert repr(dict(array.attrs)) == repr(dict(copy.attrs))
