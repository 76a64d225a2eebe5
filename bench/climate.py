"""Synthetic temperatures that look and compress like the output of a climate model."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numcodecs import Blosc
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from workloads import Workload

__all__ = ["temperatures", "write_source"]


def temperatures(region: tuple[slice, ...], dtype: str = "float32") -> NDArray[Any]:
    """Return smooth temperatures in kelvin, rounded to 0.1 K and never zero.

    They are the sum of one wave per axis, one wave along all axes, and noise in the last digit, as
    in measured data.

    Parameters
    ----------
    region
        Region of the array, one slice with start and stop per axis.
    dtype
        Data type: float32 or float64.
    """
    axes = np.ogrid[region]
    field = np.full([part.stop - part.start for part in region], 285, "f4")
    phase = np.zeros((1,) * len(axes), "f4")
    for number, axis in enumerate(axes):
        field += np.float32(9 / (number + 1)) * np.sin(axis.astype("f4") / np.float32(57 + number))
        phase = phase + axis.astype("f4") / np.float32(91 - 20 * number)
    field += 6 * np.sin(phase)
    noise = np.random.default_rng([part.start for part in region])
    field += noise.random(field.shape, "f4") / 5
    return np.round(field.astype(dtype, copy=False), 1)


def write_source(workload: Workload, path: Path, zarr_format: Literal[2, 3] = 3) -> zarr.Array[Any]:
    """Write the source array of a workload, or open it if an earlier run completed it."""
    complete = path.with_name(path.name + ".complete")
    if complete.exists():
        return zarr.open_array(path, mode="r")
    compressor: Any = BloscCodec(cname="lz4", clevel=5, shuffle="shuffle")
    if zarr_format == 2:
        compressor = Blosc("lz4", 5, Blosc.SHUFFLE)
    array = zarr.create_array(
        path,
        shape=workload.shape,
        chunks=workload.source,
        shards=workload.source_shards,
        dtype=workload.dtype,
        compressors=compressor if workload.compressed else None,
        zarr_format=zarr_format,
        overwrite=True,
    )

    def write(corner: tuple[int, ...]) -> None:
        bounds = zip(corner, workload.source_unit, workload.shape, strict=True)
        region = tuple(slice(start, min(start + width, size)) for start, width, size in bounds)
        array[region] = temperatures(region, workload.dtype)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, _corners(workload)))
    complete.touch()
    return zarr.open_array(path, mode="r")


def _corners(workload: Workload) -> Sequence[tuple[int, ...]]:
    """Return the first element of each chunk, or shard, that is to be stored."""
    axes = list(zip(workload.shape, workload.source_unit, strict=True))
    if not workload.stored:
        return list(product(*(range(0, size, width) for size, width in axes)))
    counts = [-(-size // width) for size, width in axes]
    step = prod(counts) // workload.stored
    # An odd number of chunks apart, so that they do not lie in one row.
    numbers = [(step | 1) * number for number in range(workload.stored)]
    indices = (np.unravel_index(number, counts) for number in numbers)
    return [
        tuple(int(i) * width for i, (_, width) in zip(index, axes, strict=True))
        for index in indices
    ]
