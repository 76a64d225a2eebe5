"""What may be a source: places, arrays of NumPy and Xarray; and what may not."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from cases import about
from zarr.storage import LocalStore, StorePath

import rechunker

fsspec: Any = import_module("fsspec")  # it has no types


def rechunk(source: Any, chunks: Any, target: Any, **options: Any) -> rechunker.Rechunked[Any]:
    options = {"max_mem": "100kB", "executor": "python", **options}
    return rechunker.rechunk(source, chunks, target_store=target, **options)


def test_a_place_stands_for_the_array_or_group_there(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "s")
    group.create_array("x", data=np.arange(1200).reshape(40, 30), chunks=(4, 30))
    places: list[Any] = [tmp_path / "s", str(tmp_path / "s"), LocalStore(tmp_path / "s")]
    places += [f"file://{tmp_path / 's'}", fsspec.get_mapper(str(tmp_path / "s"))]
    for number, place in enumerate(places):
        with about(place):
            target = rechunk(place, {"x": (40, 3)}, tmp_path / f"t{number}").execute()
            np.testing.assert_array_equal(target["x"][...], group["x"][...])  # type: ignore[index]
    inside = StorePath(LocalStore(tmp_path / "s"), "x")
    for number, place in enumerate([tmp_path / "s/x", inside]):
        with about(place):
            assert rechunk(place, (40, 3), tmp_path / f"a{number}").execute().chunks == (40, 3)


def test_a_url_is_opened_with_its_options(tmp_path: Path) -> None:
    array = zarr.create_array("memory://places/s", data=np.arange(20), chunks=(5,))
    options = {"use_listings_cache": False}
    target = rechunk("memory://places/s", (10,), tmp_path / "t", storage_options=options).execute()
    np.testing.assert_array_equal(target[...], array[...])


def test_places_without_an_array_or_group_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.nc").touch()
    places: list[Any] = [tmp_path / "nothing", tmp_path / "folder", {}, "memory://nothing"]
    for place in places:
        with about(place), pytest.raises(FileNotFoundError, match="no Zarr array or group at"):
            rechunk(place, (10,), tmp_path / "t")
    with pytest.raises(ValueError, match=r"is a file, not a folder; open netCDF .*open_dataset"):
        rechunk(tmp_path / "file.nc", (10,), tmp_path / "t")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.nc", "folder"]


def test_arrays_of_numpy(tmp_path: Path) -> None:
    np.save(tmp_path / "mapped.npy", np.arange(12.0).reshape(3, 4))
    arrays = {
        "numbers": np.arange(1200, dtype=">i2").reshape(40, 30),
        "memmap": np.load(tmp_path / "mapped.npy", mmap_mode="r"),
        "texts": np.array([["a", "bc"], ["", "d"]], np.dtypes.StringDType()),
        "scalar": np.array(3.5),
        "empty": np.empty((0, 3)),
    }
    for name, array in arrays.items():
        with about(name):
            chunks = tuple(max(1, n // 2) for n in array.shape)
            target = rechunk(array, chunks, tmp_path / name).execute()
            np.testing.assert_array_equal(target[...], array)
            assert (target.chunks, target.dtype.kind) == (chunks, array.dtype.kind)
    names = {"dimension_names": ("y", "x")}
    plan = rechunk(arrays["numbers"], {"x": 5}, tmp_path / "named", target_options=names)
    assert plan.execute().chunks == (40, 5)


def test_arrays_of_numpy_that_zarr_cannot_store(tmp_path: Path) -> None:
    for array, message in (
        (np.ma.masked_equal([1, 2], 1), "masked array"),
        (np.array([{}, None], object), "dtype is object"),
    ):
        with about(message), pytest.raises(TypeError, match=message):
            rechunk(array, (1,), tmp_path / "t")


@pytest.mark.parametrize("name", ["air", None, "time"])
def test_an_array_of_xarray_opens_as_the_same_array(tmp_path: Path, name: str | None) -> None:
    dims, coords = ("time", "x"), {"time": np.arange(6), "height": 2.0}
    array = xr.DataArray(np.arange(60.0).reshape(6, 10), coords, dims, name, {"units": "K"})
    if name == "time":
        array = array.drop_vars("time")  # a dimension without a coordinate
    for number, chunks in enumerate([(6, 2), {"time": -1, "x": 2}, {array.name: (6, 2)}]):
        if chunks == {None: (6, 2)}:
            continue
        with about(chunks):
            if name == "time" and number == 2:
                continue  # it stands for the dimension
            rechunk(array, chunks, tmp_path / f"t{number}").execute()
            found = xr.open_dataarray(tmp_path / f"t{number}", engine="zarr", chunks={})
            assert found.identical(array)
            assert found.encoding["chunks"] == (6, 2)


class ManifestArray:
    """What a variable of VirtualiZarr holds: no values, and an error for who wants some."""

    shape, dtype, ndim = (4,), np.dtype("f4"), 1

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def __array_function__(self, *_: Any) -> Any:
        return NotImplemented

    def __array_ufunc__(self, *_: Any) -> Any:
        return NotImplemented


def test_virtual_datasets_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ManifestArray, "__module__", "virtualizarr.manifests.array")
    dataset = xr.Dataset({"air": ("x", ManifestArray())})
    with pytest.raises(ValueError, match=r"variable 'air' is virtual: .*vz\.to_icechunk"):
        rechunk(dataset, {"x": 2}, tmp_path / "t")
    assert list(tmp_path.iterdir()) == []
