"""The python executor keeps the whole process within max_mem."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

pytestmark = pytest.mark.slow

BENCH = Path(__file__).parents[3] / "bench"
PROGRAM = """
import json, sys
import zarr, rechunker
from rechunker.executors.python import PythonExecutor
from usage import measured
source, target, temp, max_mem, threads, *chunks = sys.argv[1:]
plan = rechunker.rechunk(
    zarr.open_array(source, mode="r"), tuple(map(int, chunks)), int(max_mem), target,
    temp_store=temp, executor=PythonExecutor(int(threads)),
    target_options={"compressors": zarr.codecs.BloscCodec(cname="lz4")},
)
with measured() as usage:
    plan.execute()
print(json.dumps([plan.copy_plan[""].hops, usage.peak]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make 128 MB of noise, which is as large encoded as it is decoded."""
    path = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(0)
    array = zarr.create_array(path / "s", shape=(320, 250, 400), chunks=(10, 250, 400), dtype="f4")
    for start in range(0, 320, 10):
        array[start : start + 10] = rng.standard_normal((10, 250, 400), np.float32)
    return path


@pytest.mark.parametrize(
    ("chunks", "hops", "max_mem", "threads"),
    [
        ((320, 20, 20), 1, 50_000_000, 2),
        ((10, 250, 100), 0, 80_000_000, 2),
        ((320, 20, 20), 1, 40_000_000, 32),
    ],
)
def test_peak_of_the_process(
    folder: Path, tmp_path: Path, chunks: tuple[int, ...], hops: int, max_mem: int, threads: int
) -> None:
    arguments = [folder / "s", tmp_path / "t", tmp_path / "temp", max_mem, threads, *chunks]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": os.pathsep.join([str(BENCH), *sys.path])},
        check=True,
    )
    planned, peak = json.loads(done.stdout)
    assert planned == hops
    assert peak <= max_mem
    assert_equal(zarr.open_array(folder / "s"), zarr.open_array(tmp_path / "t"))


def assert_equal(a: zarr.Array[Any], b: zarr.Array[Any]) -> None:
    for start in range(0, a.shape[0], 40):
        np.testing.assert_array_equal(a[start : start + 40], b[start : start + 40])
