"""Datasets of one Zarr format whose target has the other: their codecs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import xarray as xr
import zarr
import zarr.codecs
import zarr.codecs.numcodecs
from xarray_climate import planned

pytestmark = pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in")
VALUES = np.arange(48, dtype="<i4").reshape(8, 6)
DELTA = {"dtype": "<i4", "astype": "<i4"}


def opened(place: Path, zarr_format: Any, **given: Any) -> xr.Dataset:
    """Write one array as other programs do, and open it as a dataset."""
    group = zarr.create_group(place, zarr_format=zarr_format)
    given["dimension_names"] = ("y", "x") if zarr_format == 3 else None
    array = group.create_array("v", shape=(8, 6), chunks=(2, 6), dtype="<i4", **given)
    if zarr_format == 2:
        array.attrs["_ARRAY_DIMENSIONS"] = ["y", "x"]
    array[...] = VALUES
    dataset: xr.Dataset = xr.open_zarr(place, consolidated=False)
    return dataset


def converted(source: xr.Dataset, tmp_path: Path, zarr_format: int, **encoding: Any) -> Any:
    options = {"zarr_format": zarr_format, "v": encoding, "overwrite": True}
    group: Any = planned(source, {"x": 2}, tmp_path, target_options=options).execute()
    assert np.array_equal(group["v"][...], VALUES)
    return group["v"]


def test_a_filter_is_no_compressor_in_v2(tmp_path: Path) -> None:
    delta = zarr.codecs.numcodecs.Delta(**DELTA)
    source = opened(tmp_path / "s", 3, filters=[delta], compressors=None)
    for made in (source, source + 0):
        made["v"].encoding = source["v"].encoding
        array = converted(made, tmp_path, 2)
        assert (array.filters, array.compressors) == ((numcodecs.Delta(**DELTA),), ())


def test_a_codec_that_an_option_replaces_needs_no_counterpart(tmp_path: Path) -> None:
    old = opened(tmp_path / "old", 2, compressors=numcodecs.Base64())
    with pytest.raises(ValueError, match="no counterpart of codec 'base64'"):
        converted(old, tmp_path, 3)
    assert converted(old, tmp_path, 3, compressors=None).compressors == ()


def test_an_order_that_no_encoding_can_give_is_refused(tmp_path: Path) -> None:
    new = opened(tmp_path / "new", 3, filters=[zarr.codecs.TransposeCodec(order=(1, 0))])
    with pytest.raises(ValueError, match=r"target_options\['v'\]: .*give filters=\[\]"):
        converted(new, tmp_path, 2)
    assert not converted(new, tmp_path, 2, filters=[]).filters
