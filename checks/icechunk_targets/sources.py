"""Sources of each kind, what they become, and whether a target is that."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
import zarr

__all__ = ["CHUNKS", "MAX_MEM", "assert_equal", "make", "opened"]

CHUNKS: dict[str, Any] = {
    "array": (40, 3),
    "group": {"a": (24, 3), "deep/b": (24, 2)},
    "dataset": {"x": 24, "y": 3},
}
MAX_MEM = "10kB"


def _values(*shape: int) -> Any:
    """Return random numbers, of which the first columns are zero: their chunks are not stored."""
    numbers = np.random.default_rng(1).integers(1, 100, shape).astype("f8")
    numbers[:, : shape[1] // 3] = 0
    return numbers


def make(kind: str, store: Any) -> None:
    """Write a source."""
    if kind == "dataset":
        coordinates = {"x": np.arange(24.0)}
        data = {"v": (("x", "y"), _values(24, 18), {"units": "K"}), "flag": ((), np.int32(3))}
        dataset = xr.Dataset(data, coordinates, {"title": "test"})
        dataset.to_zarr(store, encoding={"v": {"chunks": (4, 18)}}, consolidated=False)
    elif kind == "group":
        group = zarr.create_group(store, attributes={"title": "test"})
        for name in CHUNKS[kind]:
            group.create_array(name, shape=(24, 18), chunks=(4, 18), dtype="f8", fill_value=0)
            group[name][...] = _values(24, 18)  # type: ignore[index]
    else:
        array = zarr.create_array(store, shape=(40, 30), chunks=(5, 30), dtype="f8", fill_value=0)
        array[...] = _values(40, 30)


def opened(kind: str, store: Any) -> Any:
    """Open a source or a target of a kind."""
    if kind == "dataset":
        return xr.open_zarr(store, consolidated=False, chunks=None)
    return zarr.open(store, mode="r")


def assert_equal(kind: str, source: Any, target: Any) -> None:
    """Check that a target is what its source becomes."""
    if kind == "dataset":
        xr.testing.assert_identical(source, target)
        assert target["v"].encoding["chunks"] == (24, 3)
    elif kind == "group":
        assert dict(source.attrs) == dict(target.attrs)
        for name in CHUNKS["group"]:
            np.testing.assert_array_equal(target[name][...], source[name][...])
            assert target[name].chunks == CHUNKS["group"][name]
    else:
        np.testing.assert_array_equal(target[...], source[...])
        assert target.chunks == CHUNKS["array"]
