"""Calls as public projects make them: their arguments and objects, our own data and names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import chdir, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import dask.array as da
import numcodecs
import numpy as np
import pytest
import xarray as xr
import zarr
from cases import about

import rechunker
from rechunker import Rechunked, api, rechunk

fsspec: Any = import_module("fsspec")  # it has no types

CALLS: dict[str, Callable[[Path], Any]] = {}
SHAPE, MEMORY = (48, 12, 10), "200kB"


def call(function: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """Add a call to those that are tested."""
    CALLS[function.__name__] = function
    return function


def write_maps(folder: Path) -> None:
    """Write a dataset in maps, chunked along time."""
    times = np.datetime64("2001-01-01", "ns") + np.arange(48) * np.timedelta64(1, "D")
    maps = np.random.default_rng(0).random(SHAPE, "f4")
    dataset = xr.Dataset(
        {name: (("time", "lat", "lon"), maps + n) for n, name in enumerate(("tas", "pr"))},
        {"time": times, "lat": np.arange(12.0), "lon": np.arange(10.0)},
        {"title": "maps"},
    )
    encoding = {name: {"chunks": (4, 12, 10)} for name in ("tas", "pr")}
    dataset.to_zarr(folder / "maps.zarr", zarr_format=2, encoding=encoding)


def check(folder: Path, target: Any) -> None:
    """Check that a target opens as the dataset, with the new chunks."""
    found, wanted = xr.open_zarr(target), xr.open_zarr(folder / "maps.zarr")
    xr.testing.assert_identical(found, wanted[list(found.data_vars)])
    assert found["tas"].encoding["chunks"] == (48, 3, 5)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_calls_work(tmp_path: Path) -> None:
    """With the default executor, as in these calls."""
    for name, function in CALLS.items():
        write_maps(tmp_path / name)
        with about(name):
            function(tmp_path / name)


@call
def climate_scenarios(folder: Path) -> None:
    """By variable, with coordinates mapped to None; paths as text; the temp store is removed."""
    ds = xr.open_zarr(folder / "maps.zarr")
    for variable in ds.variables.values():
        variable.encoding.pop("chunks", None)
    by_dim = {"time": 48, "lat": 3, "lon": 5}
    chunks: dict[str, Any] = {v: {d: by_dim[d] for d in ds[v].dims} for v in ds.data_vars}
    chunks.update(time=None, lat=None, lon=None)
    out, temp = folder / "out.zarr", folder / "temp.zarr"
    plan = rechunk(ds, chunks, MEMORY, str(out), temp_store=str(temp))
    plan.execute()
    zarr.consolidate_metadata(out)
    shutil.rmtree(temp)
    check(folder, out)


@call
def netcdf_service(folder: Path) -> None:
    """A group that was opened consolidated, mappers of fsspec, tuples by name with a slash."""
    group = zarr.open_consolidated(str(folder / "maps.zarr"))
    stores = [fsspec.get_mapper(str(folder / name)) for name in ("out.zarr", "temp.zarr")]
    chunks = {"/tas": (48, 3, 5), "/pr": (48, 3, 5), "/time": (48,), "/lat": (12,), "/lon": (10,)}
    rechunk(group, chunks, MEMORY, stores[0], temp_store=stores[1]).execute()
    zarr.consolidate_metadata(zarr.storage.LocalStore(folder / "out.zarr"))
    stores[1].clear()
    check(folder, folder / "out.zarr")


@call
def downscaling(folder: Path) -> None:
    """Keywords alone, tuples of one size for coordinates and a dict for variables."""
    group = zarr.open_consolidated(str(folder / "maps.zarr"))
    sizes = {"time": 48, "lat": 3, "lon": 5}
    chunks: dict[str, Any] = {name: (size,) for name, size in sizes.items()}
    for name in xr.open_zarr(folder / "maps.zarr").data_vars:
        chunks[str(name)] = sizes
    target, temp = (fsspec.get_mapper(str(folder / name)) for name in ("out.zarr", "temp.zarr"))
    plan = rechunker.rechunk(
        source=group, target_chunks=chunks, max_mem=MEMORY, target_store=target, temp_store=temp
    )
    plan.execute()
    temp.clear()
    check(folder, folder / "out.zarr")


@call
def model_output(folder: Path) -> None:
    """A dataset by name of its dimensions; a temp store in a folder of the system; api.rechunk."""
    ds = xr.open_zarr(folder / "maps.zarr")
    memory: Any = 2e5  # a float, as from 0.2 * 1e6
    plan = api.rechunk(
        ds,
        target_chunks={"time": 48, "lat": 3, "lon": 5},
        max_mem=memory,
        target_store=str(folder / "out.zarr"),
        temp_store=str(folder / "deep" / "temp.zarr"),
    )
    assert isinstance(plan, Rechunked)
    plan.execute()
    check(folder, folder / "out.zarr")


@call
def microscopy(folder: Path) -> None:
    """An array of a group by its dimensions; what was written takes the place of its files."""
    group: Any = zarr.open(str(folder / "maps.zarr"))
    out, temp, array = folder / "4f1c", folder / "a07e", folder / "maps.zarr" / "tas"
    before = group["tas"][...]
    sizes = {"time": 48, "lat": 3, "lon": 5}
    rechunk(group["tas"], sizes, MEMORY, str(out), temp_store=str(temp)).execute()
    with suppress(FileNotFoundError):
        shutil.rmtree(temp)
    for name in os.listdir(array):
        os.remove(array / name)
    for name in os.listdir(out):
        os.rename(out / name, array / name)
    os.rmdir(out)
    found = xr.open_zarr(folder / "maps.zarr", consolidated=False)["tas"]
    assert found.chunks == ((48,), (3,) * 4, (5,) * 2)
    np.testing.assert_array_equal(found, before)


@call
def benchmark_of_dask(folder: Path) -> None:
    """A Zarr array made by Dask, to a store with a temp store, both removed first if they exist."""
    video = da.random.default_rng(0).random(SHAPE, chunks=(4, 12, 10))
    video.to_zarr(str(folder / "video.zarr"))
    for name in ("out.zarr", "temp.zarr"):
        shutil.rmtree(folder / name, ignore_errors=True)
    source: Any = zarr.open(str(folder / "video.zarr"))
    plan = rechunk(
        source,
        target_chunks=(48, 3, 5),
        target_store=str(folder / "out.zarr"),
        max_mem=MEMORY,
        temp_store=str(folder / "temp.zarr"),
    )
    target = plan.execute()
    assert da.from_zarr(target).chunksize == (48, 3, 5)
    again = zarr.open_array(str(folder / "out.zarr"), mode="r")
    np.testing.assert_array_equal(again[...], video.compute())
    shutil.rmtree(folder / "temp.zarr")


@call
def genetics(folder: Path) -> None:
    """Encodings with compressors by variable; -1 for dimensions; a dataset in memory."""
    ds = xr.open_zarr(folder / "maps.zarr").load()
    options = {str(v): {"compressor": numcodecs.Blosc("zstd", clevel=7)} for v in ds.data_vars}
    chunks = {str(v): {"time": -1, "lat": 3, "lon": 5} for v in ds.data_vars}
    rechunk(
        ds,
        max_mem=MEMORY,
        target_chunks=chunks,
        target_store=str(folder / "out.zarr"),
        target_options=options,
        temp_store=str(folder / "temp.zarr"),
        executor="python",
    ).execute()
    check(folder, folder / "out.zarr")


@call
def hydrology(folder: Path) -> None:
    """An array out of a dataset's group; a mapper as target, then coordinates beside it."""
    group = zarr.open_group(folder / "maps.zarr", mode="r")
    out = fsspec.get_mapper(str(folder / "out.zarr"))
    for name in ("tas", "pr"):
        chunks: dict[str, Any] = {name: {"time": 48, "lat": 3, "lon": 5}}
        if name == "tas":
            chunks.update(time=None, lat=None, lon=None)
        temp = folder / f"temp-{name}.zarr"
        rechunk(group, chunks, MEMORY, out, temp_store=temp).execute()
        shutil.rmtree(temp)
    zarr.consolidate_metadata(zarr.storage.LocalStore(folder / "out.zarr"))
    check(folder, folder / "out.zarr")


@call
def climate_indices(folder: Path) -> None:
    """A dataset in other blocks, without encodings; an integer of bytes; names in this folder."""
    ds = xr.open_zarr(folder / "maps.zarr").chunk(time=48, lat=3, lon=5)
    chunks: dict[str, Any] = {}
    for data_var in ds.data_vars:
        ds[data_var].encoding = {}
        chunks[str(data_var)] = {dim: ds.chunksizes[dim][0] for dim in ds[data_var].dims}
    for coord in ds.coords:
        ds[coord].encoding = {}
        chunks[str(coord)] = None
    fs = fsspec.filesystem("file")
    with chdir(folder):
        rechunk(
            source=ds,
            target_chunks=chunks,
            max_mem=int(0.9 * 2**30),
            target_store="out.zarr",
            temp_store="temp.zarr",
        ).execute()
        with suppress(FileNotFoundError):
            fs.rm("temp.zarr", recursive=True, maxdepth=100)
        zarr.consolidate_metadata("out.zarr")
        check(folder, "out.zarr")


@call
def satellites(folder: Path) -> None:
    """Executed twice, as in a notebook; the plan is printed; a DataArray, by name."""
    array = xr.open_zarr(folder / "maps.zarr")["tas"]
    chunks = {"tas": {"time": 48, "lat": 3, "lon": 5}, "time": None, "lat": None, "lon": None}
    plan = rechunk(array, chunks, "300GB", folder / "out.zarr", temp_store=folder / "temp.zarr")
    assert "Target" in str(plan)
    assert "Source" in plan._repr_html_()
    plan.execute()
    plan.execute()
    assert xr.open_dataarray(folder / "out.zarr", engine="zarr").identical(array)


@call
def reanalysis(folder: Path) -> None:
    """All positional; a path as source; retries for the engine; the array in a group."""
    source = zarr.open_group(str(folder / "maps.zarr"))["tas"]
    group = zarr.open_group(str(folder / "out.zarr"), mode="w")
    temp = zarr.open_group(str(folder / "temp.zarr"), mode="w")
    options, temp_options = {"compressors": None}, {"compressor": None}
    plan = rechunk(
        source, (48, 3, 5), 20_000, group, options, temp, temp_options, "python", array_name="tas"
    )
    assert plan.execute(retries=10).name == "/tas"
    np.testing.assert_array_equal(group["tas"][...], source[...])  # type: ignore[index]


@call
def one_size_for_all(folder: Path) -> None:
    """A dict that names the variables that are wanted; the others are left out of a group."""
    group = zarr.open_consolidated(str(folder / "maps.zarr"))
    sizes = {"time": 48, "lat": 3, "lon": 5}
    wanted = dict.fromkeys(("tas", "pr"), sizes)
    rechunk(group, wanted, MEMORY, str(folder / "out.zarr"), None, folder / "temp.zarr").execute()
    out = zarr.open_consolidated(folder / "out.zarr")
    assert sorted(out.array_keys()) == ["pr", "tas"]


@call
def netcdf_service_with_groups(folder: Path) -> None:
    """Paths of arrays in groups; None for coordinates and bounds; mappers that were emptied."""
    maps = xr.open_zarr(folder / "maps.zarr")
    for group in ("", "science/data"):
        maps.to_zarr(folder / "nested.zarr", group=group, mode="a", zarr_format=2)
    source = fsspec.get_mapper(str(folder / "nested.zarr"))
    zarr.consolidate_metadata(str(folder / "nested.zarr"))
    target, temp = (
        fsspec.filesystem("file").get_mapper(root=str(folder / name), check=False, create=True)
        for name in ("out.zarr", "temp.zarr")
    )
    chunks: dict[str, Any] = {}
    for group in ("", "science/data"):
        opened = xr.open_dataset(source, group=group, mode="r", engine="zarr")
        chunks |= {f"{group}/{name}": (48, 3, 5) for name in opened.data_vars}
        chunks |= {f"{group}/{name}": None for name in opened.coords}
    plan = rechunk(
        zarr.open_consolidated(source, mode="r"), chunks, MEMORY, target, temp_store=temp
    )
    plan.execute()
    zarr.consolidate_metadata(str(folder / "out.zarr"))
    check(folder, folder / "out.zarr")
    xr.testing.assert_identical(xr.open_zarr(target, group="science/data"), maps)


@call
def weather_archive(folder: Path) -> None:
    """Lists for dimensions, dicts for coordinates and variables; a temp folder that is in use."""
    ds = xr.open_zarr(folder / "maps.zarr").assign_coords(height=2.0)
    sizes = {"time": 48, "lat": 3, "lon": 5}
    temp = folder / "temp"
    temp.mkdir()
    (temp / "forecast.grib").touch()
    chunks: dict[str, Any] = {str(d): [sizes[str(d)]] for d in ds.dims}
    for name in (*ds.coords, *ds.data_vars):
        chunks[str(name)] = {d: sizes[str(d)] for d in ds[name].dims}
    mapper = fsspec.filesystem("file").get_mapper(str(folder / "out.zarr"))
    rechunk(
        ds, target_chunks=chunks, max_mem=MEMORY, target_store=mapper, temp_store=temp
    ).execute()
    found = xr.open_zarr(mapper)
    xr.testing.assert_identical(found, ds)
    assert found["tas"].encoding["chunks"] == (48, 3, 5)
    assert os.listdir(temp) == ["forecast.grib"]


@call
def lists_of_chunks_for_all_variables(folder: Path) -> None:
    """Tuples for each variable and coordinate, clipped; a group that is open for writing."""
    group = zarr.group(str(folder / "maps.zarr"))
    sizes, chunks = {"time": 672, "lat": 3, "lon": 5}, {}
    ds = xr.open_zarr(str(folder / "maps.zarr"))
    for name in ds.variables:
        chunks[name] = tuple(min(sizes[str(d)], len(ds[d])) for d in ds[name].dims)
    plan = rechunk(
        group,
        target_chunks=chunks,
        max_mem="0.70GB",
        target_store=str(folder / "out.zarr"),
        temp_store=str(folder / "temp.zarr"),
    )
    plan.execute(retries=10)
    zarr.consolidate_metadata(str(folder / "out.zarr"))
    check(folder, folder / "out.zarr")


@call
def river_flow(folder: Path) -> None:
    """A dataset of many files; chunks for some variables; then appended to a store."""
    ds = xr.open_zarr(folder / "maps.zarr")
    for number, part in enumerate((slice(0, 24), slice(24, 48))):
        ds.isel(time=part).to_netcdf(folder / f"{number}.nc", engine="h5netcdf")
    files = [folder / "0.nc", folder / "1.nc"]
    many = xr.open_mfdataset(files, combine="by_coords", engine="h5netcdf", join="override")
    plan = {str(v): (48, 3, 5) for v in many.data_vars if many[v].ndim == 3}
    step, temp = folder / "out.zarr", folder / "temp.zarr"
    made = rechunk(many, plan, "0.75GB", str(step), temp_store=str(temp), executor="python")
    made.execute(retries=10)
    check(folder, step)
    found = xr.open_zarr(str(step), consolidated=False)
    found.to_zarr(str(folder / "all.zarr"), consolidated=True, mode="w")
    found.to_zarr(str(folder / "all.zarr"), consolidated=True, append_dim="time")
    assert xr.open_zarr(folder / "all.zarr").sizes["time"] == 96
    for file in files:
        file.unlink()


@call
def elevation_tiles(folder: Path) -> None:
    """Some dimensions of a dataset; a float of bytes; mappers; no temp store."""
    ds = xr.open_zarr(fsspec.get_mapper(str(folder / "maps.zarr")))
    memory: Any = 4 * 1e9
    out = fsspec.get_mapper(str(folder / "out.zarr"))
    plan = rechunker.rechunk(
        ds, {"lat": 3, "lon": 5, "time": ds.time.size}, memory, out, temp_store=None
    )
    assert "Target" in str(plan)
    plan.execute()
    check(folder, folder / "out.zarr")


@call
def web_maps(folder: Path) -> None:
    """A group read by Xarray undecoded; -1 for what is not an axis of the map."""
    place = str(folder / "maps.zarr")
    ds = xr.open_dataset(place, engine="zarr", chunks={}, decode_cf=False)
    chunks = {}
    for variable in ("tas", "pr"):
        sizes = ds[variable].sizes
        chunks[variable] = {"lat": min(3, sizes["lat"]), "lon": min(5, sizes["lon"]), "time": -1}
    group = zarr.open_consolidated(place)
    stores = [fsspec.get_mapper(str(folder / name)) for name in ("out.zarr", "temp.zarr")]
    rechunk(group, chunks, "1000MB", stores[0], temp_store=stores[1]).execute()
    zarr.consolidate_metadata(str(folder / "out.zarr"))
    found = xr.open_dataset(folder / "out.zarr", engine="zarr", chunks={}, decode_cf=False)
    assert found["pr"].encoding["chunks"] == (48, 3, 5)


@call
def ocean(folder: Path) -> None:
    """A group by path; chunks in dicts for coordinates too; the same names are used again."""
    for _ in range(2):
        source = zarr.open(str(folder / "maps.zarr"))
        for name in ("out.zarr", "temp.zarr"):
            shutil.rmtree(folder / name, ignore_errors=True)
        chunks: dict[str, Any] = {
            "tas": {"time": 48, "lat": 3, "lon": 5},
            "pr": {"time": 48, "lat": 3, "lon": 5},
            "lat": {"lat": 12},
            "lon": {"lon": 10},
            "time": None,
        }
        rechunk(
            source, chunks, "15GB", folder / "out.zarr", temp_store=folder / "temp.zarr"
        ).execute()
    zarr.consolidate_metadata(folder / "out.zarr")
    check(folder, folder / "out.zarr")
