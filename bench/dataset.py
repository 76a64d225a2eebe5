"""Rechunk a dataset of three packed variables within 200 MB: raw, and decoded and re-encoded."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

import rechunker
from compare import differences
from rechunker.sizes import format_bytes
from usage import Usage, measured

__all__ = ["main", "rechunk", "write_dataset"]

NAMES = ("air", "humidity", "wind")
# 1.01 GB of packed values, 4.05 GB when decoded.
SHAPE, STEPS, TILE = (2920, 241, 240), 40, 20
MAX_MEM = 200 * 10**6
WAYS = ("raw", "encoded")


def main(arguments: list[str] | None = None) -> int:
    """Print time and memory of both ways; return 0 if the data is equal and memory was enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=1, metavar="N", help="divide the times by N")
    small = parser.parse_args(arguments).small
    failed = False
    with tempfile.TemporaryDirectory(prefix="rechunker-dataset-") as folder:
        source = Path(folder) / "source.zarr"
        nbytes = write_dataset(source, SHAPE[0] // small)
        print(f"3 variables, {format_bytes(nbytes)} of packed values, max_mem = 200 MB", flush=True)
        for way in WAYS:
            usage, different = rechunk_apart(way, source, Path(folder) / way)
            print(
                f"{way:<8}{usage.wall:7.1f} s{usage.cpu:7.1f} s CPU"
                f"{format_bytes(usage.peak):>12} above the baseline, {different} different elements"
            )
            failed |= bool(different) or usage.peak > MAX_MEM
    return int(failed)


def write_dataset(path: Path, times: int) -> int:
    """Write the source dataset and return the bytes of its packed values."""
    group = zarr.create_group(path, zarr_format=2)
    shape, chunks = (times, *SHAPE[1:]), (min(STEPS, times), *SHAPE[1:])
    for number, name in enumerate(NAMES):
        array = group.create_array(name, shape=shape, chunks=chunks, dtype="i2", fill_value=-32767)
        dims = {"_ARRAY_DIMENSIONS": ["time", "lat", "lon"]}
        array.attrs.update({**dims, "scale_factor": 0.01, "add_offset": 273.15})
        for start in range(0, times, STEPS):
            steps = np.arange(start, min(start + STEPS, times))
            array[start : start + STEPS] = packed(steps + 1000 * number)
    for name, length, words in (
        ("time", times, {"units": "hours since 2000-01-01", "calendar": "standard"}),
        ("lat", SHAPE[1], {"units": "degrees_north"}),
        ("lon", SHAPE[2], {"units": "degrees_east"}),
    ):
        axis = group.create_array(name, shape=(length,), dtype="i4", fill_value=None)
        axis[...] = np.arange(length)
        axis.attrs.update({"_ARRAY_DIMENSIONS": [name], **words})
    zarr.consolidate_metadata(path)
    return 2 * len(NAMES) * times * SHAPE[1] * SHAPE[2]


def packed(steps: NDArray[np.int64]) -> NDArray[np.int16]:
    """Return packed maps of some time steps that change smoothly, with some noise."""
    lat, lon = np.ogrid[: SHAPE[1], : SHAPE[2]]
    waves = 800 * np.sin(lat / 40 + steps[:, None, None] / 30) * np.cos(lon / 30)
    noise = np.random.default_rng(int(steps[0])).integers(-8, 8, waves.shape)
    return (waves + noise).astype("i2")


def rechunk(way: str, source: Path, target: Path) -> tuple[Usage, int]:
    """Rechunk the dataset, measure time and memory, and count the packed values that differ."""
    dataset = xr.open_zarr(source)
    if way == "encoded":
        for name in NAMES:
            dataset[name].data = dataset[name].data.map_blocks(unchanged)
    rechunked = rechunker.rechunk(
        dataset,
        target_chunks={"time": -1, "lat": TILE, "lon": TILE},
        max_mem=MAX_MEM,
        target_store=target,
        temp_store=target.with_suffix(".temp"),
        executor="python",
    )
    with measured() as usage:
        rechunked.execute()
    before, after = zarr.open_group(source, mode="r"), zarr.open_group(target, mode="r")
    pairs = [(array, after[name]) for name, array in before.arrays()]
    return usage, sum(differences(a, b) for a, b in pairs if isinstance(b, zarr.Array))


def unchanged(block: Any) -> Any:
    """Return the block: xarray cannot know that nothing changed, so it encodes the values again."""
    return block


def rechunk_apart(way: str, source: Path, target: Path) -> tuple[Usage, int]:
    """Run `rechunk` in a new process, so that earlier allocations do not affect its peak memory."""
    command = [sys.executable, __file__, way, str(source), str(target)]
    printed = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return Usage(**printed["usage"]), printed["different"]


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in WAYS:
        usage, different = rechunk(sys.argv[1], *map(Path, sys.argv[2:]))
        print(json.dumps({"usage": asdict(usage), "different": different}))
    else:
        sys.exit(main())
