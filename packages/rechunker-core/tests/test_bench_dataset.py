from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr
import zarr

import dataset

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("way", dataset.WAYS)
def test_both_ways_give_the_same_dataset(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "SHAPE", (2920, 61, 60))
    nbytes = dataset.write_dataset(tmp_path / "source", 50)
    assert nbytes == 3 * 50 * 61 * 60 * 2
    usage, different = dataset.rechunk(way, tmp_path / "source", tmp_path / "target")
    assert (different, usage.wall > 0) == (0, True)
    source, target = xr.open_zarr(tmp_path / "source"), xr.open_zarr(tmp_path / "target")
    xr.testing.assert_identical(source, target)
    assert zarr.open_array(tmp_path / "target/air", mode="r").chunks == (50, 20, 20)


def test_the_program_tells_what_it_took(capfd: pytest.CaptureFixture[str]) -> None:
    dataset.main(["--small=292"])
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(dataset.WAYS)
    assert all("0 different" in line for line in lines[1:])
