"""The accessor `.rechunker` on what Xarray has: the same as rechunk(), with a group."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

import rechunker
import rechunker.xarray

MAPS = xr.Dataset(
    {"air": (("time", "x"), np.arange(480.0).reshape(48, 10), {"units": "K"})},
    {"time": np.arange(48)},
)
SOURCES = {
    "Dataset": (MAPS, {"time": -1, "x": 2}),
    "DataArray": (MAPS.air, (48, 2)),
    "DataTree": (xr.DataTree.from_dict({"/fine": MAPS}), {"/fine/air": (48, 2)}),
}
OPEN: dict[str, Any] = {
    "Dataset": xr.open_zarr,
    "DataArray": lambda *args, **kwargs: xr.open_dataarray(*args, engine="zarr", **kwargs),
    "DataTree": lambda *args, **kwargs: xr.open_datatree(*args, engine="zarr", **kwargs),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_what_is_written_opens_as_what_it_was(tmp_path: Path, kind: str) -> None:
    source, chunks = SOURCES[kind]
    written = source.rechunker.to_zarr(tmp_path / "t", chunks, "100kB", executor="python")
    assert isinstance(written, zarr.Group)
    with OPEN[kind](tmp_path / "t") as found:
        assert found.identical(source)
    name = "fine/air" if kind == "DataTree" else "air"
    assert written[name].chunks == (48, 2)  # type: ignore[union-attr]


def test_a_plan_writes_nothing(tmp_path: Path) -> None:
    source, chunks = SOURCES["Dataset"]
    planned = source.rechunker.plan(tmp_path / "t", chunks, "100kB", executor="python")
    assert isinstance(planned, rechunker.Rechunked)
    assert list(tmp_path.iterdir()) == []
    planned.execute()
    assert (tmp_path / "t").exists()


def test_arguments_reach_rechunk_and_execute(tmp_path: Path) -> None:
    done: list[int] = []
    options = {"air": {"dtype": "f4"}, "zarr_format": 2}
    written = MAPS.rechunker.to_zarr(
        tmp_path / "t",
        {"time": -1, "x": 1},
        "3kB",
        target_options=options,
        temp_store=tmp_path / "x",
        executor="python",
        verify=True,
        progress=lambda tasks, *_: done.append(tasks),
    )
    assert done
    assert (written.metadata.zarr_format, written["air"].dtype) == (2, np.dtype("f4"))


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_a_group_is_made_with_those_around_it(tmp_path: Path) -> None:
    options = {"use_listings_cache": False}
    for store, more in ((tmp_path / "t", {}), ("memory://t", {"storage_options": options})):
        for group in ("a/b", "/c"):
            MAPS.rechunker.to_zarr(store, {"x": 2}, "1MB", group=group, executor="python", **more)
        assert xr.open_zarr(store, group="a/b", consolidated=False).identical(MAPS)
        assert xr.open_zarr(store, group="c", consolidated=False).identical(MAPS)
    with pytest.raises(FileExistsError, match="a/b/air already"):
        MAPS.rechunker.plan(tmp_path / "t", {"x": 5}, "1MB", group="a/b", executor="python")


def test_without_xarray_the_error_shows_how_to_install_it() -> None:
    program = "import sys; sys.modules['xarray'] = None; import rechunker.xarray"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "xarray" in done.stderr.splitlines()[-1]
    program = (
        "import rechunker.xarray, sys, xarray; assert xarray.Dataset.rechunker; "
        "print([m for m in sys.modules if m in ('rechunker.api', 'rechunker.sources')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "[]\n"
