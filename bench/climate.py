"""Synthetic temperatures that look and compress like the output of a climate model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from workloads import Workload

__all__ = ["temperatures", "write_source"]


def temperatures(region: tuple[slice, ...]) -> NDArray[np.float32]:
    """Return smooth temperatures in kelvin, rounded to 0.1 K and never zero.

    They are the sum of one wave per axis, one wave along all axes, and noise in the last digit, as
    in measured data.

    Parameters
    ----------
    region
        Region of the array, one slice with start and stop per axis.
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
    return np.round(field, 1)


def write_source(workload: Workload, path: Path) -> zarr.Array[Any]:
    """Write the source array of a workload, or open it if an earlier run completed it."""
    complete = path.with_name(path.name + ".complete")
    if complete.exists():
        return zarr.open_array(path, mode="r")
    array = zarr.create_array(
        path,
        shape=workload.shape,
        chunks=workload.source,
        dtype="f4",
        compressors=BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"),
        overwrite=True,
    )

    def write(corner: tuple[int, ...]) -> None:
        bounds = zip(corner, workload.source, workload.shape, strict=True)
        region = tuple(slice(start, min(start + width, size)) for start, width, size in bounds)
        array[region] = temperatures(region)

    axes = zip(workload.shape, workload.source, strict=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(write, product(*(range(0, size, width) for size, width in axes))))
    complete.touch()
    return zarr.open_array(path, mode="r")
