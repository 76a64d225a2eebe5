"""Filters, and how chunks are named, stay as they are where datasets and trees are rechunked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import xarray as xr
import zarr
from cases import about

from rechunker import rechunk

SHAPE = (48, 10)
VALUES = np.arange(480.0).reshape(SHAPE) % 37

# Name of a variable: its dtype, and its filters in Zarr format 2.
FILTERED: dict[str, tuple[str, list[Any]]] = {
    "delta": ("<i4", [numcodecs.Delta("<i4")]),
    "narrow_delta": ("<i4", [numcodecs.Delta("<i4", astype="<i2")]),
    "packed": ("<f8", [numcodecs.FixedScaleOffset(offset=5, scale=4, dtype="<f8", astype="<i2")]),
    "rounded": ("<f4", [numcodecs.Quantize(digits=2, dtype="<f4")]),
    "shuffled": ("<f8", [numcodecs.Shuffle(elementsize=8)]),
    "narrow": ("<f8", [numcodecs.AsType(encode_dtype="<f4", decode_dtype="<f8")]),
    "two": (
        "<f8",
        [
            numcodecs.FixedScaleOffset(offset=0, scale=1, dtype="<f8", astype="<i4"),
            numcodecs.Delta("<i4"),
        ],
    ),
    "plain": ("<f8", []),
}

# What a user may have done to a dataset before it is rechunked. Its encodings are still there.
KINDS: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    "as it was opened": lambda dataset: dataset,
    "loaded": lambda dataset: dataset.load(),
    "selected": lambda dataset: dataset.isel(y=slice(8, 40)),
    "other chunks": lambda dataset: dataset.chunk(y=16),
    "sorted": lambda dataset: dataset.sortby("x", ascending=False),
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A group of Zarr format 2 whose arrays have filters and nested chunks, at two levels."""
    root = zarr.create_group(tmp_path / "s", zarr_format=2)
    for group in (root, root.create_group("below")):
        for name, (dtype, filters) in FILTERED.items():
            array = group.create_array(
                name,
                shape=SHAPE,
                chunks=(8, 10),
                dtype=dtype,
                filters=filters,
                compressors=numcodecs.Zstd(2),
                chunk_key_encoding={"name": "v2", "separator": "/"},
                fill_value=None,
                attributes={"_ARRAY_DIMENSIONS": ["y", "x"]},
            )
            array[...] = VALUES
        group.create_array("x", data=np.arange(10.0), attributes={"_ARRAY_DIMENSIONS": ["x"]})
    return tmp_path / "s"


def check(target: zarr.Group, wanted: xr.Dataset, separator: str = "/") -> None:
    """Check that values, filters and the names of chunks are those of the source."""
    for name, (_, filters) in FILTERED.items():
        with about(name):
            array: Any = target[name]
            np.testing.assert_array_equal(array[...], wanted[name].values)
            assert array.chunks == (wanted.sizes["y"], 5)
            assert list(array.filters or ()) == filters
            assert array.compressors == (numcodecs.Zstd(2),)
            assert array.metadata.dimension_separator == separator
            assert array.store_path.store.root.joinpath(array.path, f"0{separator}1").is_file()


@pytest.mark.parametrize("chunks", [{}, None], ids=["dask", "lazy"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_dataset_keeps_filters_and_nested_chunks(
    place: Path, tmp_path: Path, kind: str, chunks: Any
) -> None:
    source = KINDS[kind](xr.open_zarr(place, chunks=chunks, consolidated=False))
    target = tmp_path / "t"
    rechunk(source, {"y": -1, "x": 5}, "1MB", target, executor="python").execute()
    # Xarray does not keep how chunks are named, so nothing is left of it in what is loaded.
    separator = "." if kind == "loaded" else "/"
    check(zarr.open_group(target, mode="r"), source, separator)


def test_a_tree_keeps_filters_and_nested_chunks(place: Path, tmp_path: Path) -> None:
    source = xr.open_datatree(place, engine="zarr", chunks={}, consolidated=False)
    rechunk(source, {"y": -1, "x": 5}, "1MB", tmp_path / "t", executor="python").execute()
    target = zarr.open_group(tmp_path / "t", mode="r")
    for path, node in {"/": "", "below": "below"}.items():
        group: Any = target[node] if node else target
        check(group, source[path].to_dataset())


def test_a_variable_without_a_name_is_stored_as_xarray_stores_it(tmp_path: Path) -> None:
    source = xr.Dataset({None: (("y", "x"), VALUES), "other": ("x", np.arange(10))})
    chunks, options = {"__values__": (12, 5)}, {"__values__": {"compressors": None}}
    rechunk(source, chunks, "1MB", tmp_path / "t", options, executor="python").execute()
    with xr.open_zarr(tmp_path / "t") as found:
        xr.testing.assert_identical(found, source)
        assert found[None].encoding["chunks"] == (12, 5)
        assert found[None].encoding["compressors"] == ()
