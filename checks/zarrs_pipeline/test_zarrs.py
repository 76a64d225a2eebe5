"""The codec pipeline of zarrs, where the user has chosen it: used where Zarr reads, and counted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
import zarrs

import rechunker

BENCH = Path(__file__).parents[2] / "bench"
SETTINGS = {
    "codec_pipeline.path": "zarrs.ZarrsCodecPipeline",
    "array.rectilinear_chunks": True,
}
IRREGULAR: Any = ((30, 50, 20), (4, 92, 4))
KINDS: dict[str, dict[str, Any]] = {
    "chunks": {"chunks": (10, 100)},
    "shards": {"chunks": (10, 50), "shards": (50, 100)},
    "format 2": {"chunks": (10, 100), "zarr_format": 2},
    "transposed": {"chunks": (10, 100), "filters": [zarr.codecs.TransposeCodec(order=(1, 0))]},
    "strings": {"chunks": (10, 100), "dtype": "str"},
    "irregular": {"chunks": IRREGULAR},
}


@pytest.fixture(autouse=True)
def chosen() -> Iterator[None]:
    with zarr.config.set(SETTINGS):
        yield


def make(path: Path, kind: str) -> zarr.Array[Any]:
    options = {"dtype": "int32", **KINDS[kind]}
    array = zarr.create_array(path, shape=(100, 100), **options)
    array[...] = np.arange(10_000).reshape(100, 100).astype(options["dtype"])
    return zarr.open_array(path, mode="r")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:The data type|.*unsupported by ZarrsCodecPipeline")
def test_every_kind_is_copied_exactly(tmp_path: Path, kind: str) -> None:
    source = make(tmp_path / "s", kind)
    rechunked = rechunker.rechunk(
        source, (100, 10), "20MB", tmp_path / "t", temp_store=tmp_path / "x", executor="python"
    )
    target = rechunked.execute()
    with zarr.config.set(
        {"codec_pipeline.path": zarr.config.defaults[0]["codec_pipeline"]["path"]}
    ):
        found = zarr.open_array(tmp_path / "t", mode="r")[...]
    assert np.array_equal(found, source[...])
    assert target.chunks == (100, 10)


def test_chunks_that_zarr_reads_are_decoded_by_zarrs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, calls = make(tmp_path / "s", "irregular"), []
    read = zarrs.ZarrsCodecPipeline.read

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(self.impl)
        return await read(self, *args, **kwargs)

    monkeypatch.setattr(zarrs.ZarrsCodecPipeline, "read", counted)
    rechunker.rechunk(source, (100, 10), "20MB", tmp_path / "t", executor="python").execute()
    assert len(calls) == 9
    assert None not in calls


PROGRAM = """
import json, sys
import zarr, zarrs, rechunker
from usage import measured
zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"})
zarr.config.set({"array.rectilinear_chunks": True})
source, target = sys.argv[1:]
array = zarr.open_array(source, mode="r")
plan = rechunker.rechunk(array, (60, 1000), "40MB", target, executor="python")
with measured() as usage:
    plan.execute()
print(json.dumps([usage.peak, plan.copy_plan[""].read_amplification]))
"""


def test_what_zarrs_takes_is_within_max_mem(tmp_path: Path) -> None:
    shape = (16_000, 1000)
    chunks: Any = ((300, 500) * 20, (1000,))
    array = zarr.create_array(tmp_path / "s", shape=shape, chunks=chunks, dtype="float32")
    rng = np.random.default_rng(0)
    for start in range(0, shape[0], 800):
        array[start : start + 800] = rng.standard_normal((800, 1000), np.float32)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "s", tmp_path / "t"],
        check=True,
        capture_output=True,
        env={"PYTHONPATH": str(BENCH), "PATH": "/usr/bin:/bin"},
    )
    peak, amplification = json.loads(done.stdout)
    assert amplification == 1
    assert peak < 40_000_000
