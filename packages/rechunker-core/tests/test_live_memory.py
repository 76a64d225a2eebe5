"""What a task holds, measured while it runs, is at most what its plan says."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from zarr.codecs import ZstdCodec

import rechunker
from rechunker.executors.python import PythonExecutor
from rechunker.types import Stage, Traffic, rounds

# Objects of Python that are not data: futures, indices, file objects.
SLACK = 300_000


def peak_of(stage: Stage) -> int:
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    stage(range(len(stage)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak - before


class MeasuringExecutor(PythonExecutor):
    """Runs every stage apart and notes the most memory that it allocated."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.peaks: list[tuple[int, int]] = []

    def prepare_plan(self, specs: Any) -> Any:
        stages = [stage for together in rounds(specs) for stage in together]

        def plan(**keywords: Any) -> Traffic:
            for stage in stages:
                peak = peak_of(stage)
                if peak > stage.memory + SLACK:
                    # Once in a while a table of the interpreter itself grows; not twice.
                    peak = peak_of(stage)
                self.peaks.append((peak, stage.memory))
            return Traffic()

        return plan


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """Have everything loaded that is loaded at first use."""
    for codec in (numcodecs.Blosc(), numcodecs.GZip(), numcodecs.Zstd()):
        codec.decode(codec.encode(b"abc"))


@pytest.fixture(autouse=True)
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all memory come from where it is traced."""
    monkeypatch.setattr("rechunker.scratch._LARGE", 1 << 60)


def make_source(path: Path, **options: Any) -> zarr.Array[Any]:
    """Fill an array with noise, which does not compress: the worst case."""
    settings = {"shape": (1000, 120, 110), "chunks": (50, 120, 110), "dtype": "i4", **options}
    array = zarr.create_array(path, **settings)
    raw = np.random.default_rng(0).integers(0, 256, (*array.shape, 4), np.uint8)
    array[...] = raw.view("i4")[..., 0]
    return array


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> zarr.Array[Any]:
    """The usual source, written once; nothing changes it."""
    return make_source(tmp_path_factory.mktemp("noise") / "s")


def measure(
    source: Any, chunks: Any, tmp_path: Path, factor: float, slack: int = SLACK, **options: Any
) -> Any:
    executor = MeasuringExecutor(options.pop("threads", 2))
    settings = {"target_store": tmp_path / "t", "temp_store": tmp_path / "x", **options}

    def plan(max_mem: int) -> rechunker.Rechunked[Any]:
        return rechunker.rechunk(source, chunks, max_mem, executor=executor, **settings)

    with pytest.raises(rechunker.MemoryLimitError) as caught:
        plan(1000)
    rechunked = plan(int(caught.value.needed * factor))
    rechunked.execute()
    for peak, planned in executor.peaks:
        assert peak <= planned + slack
    return rechunked


@pytest.mark.parametrize(("threads", "factor"), [(1, 1.0), (1, 4.0), (2, 1.5), (4, 1.0), (4, 4.0)])
def test_hops_and_direct_copies(
    noise: zarr.Array[Any], tmp_path: Path, threads: int, factor: float
) -> None:
    measure(noise, (1000, 20, 20), tmp_path, factor, threads=threads)


def test_parts_of_shards(tmp_path: Path) -> None:
    shape = {"shape": (100, 60, 60), "chunks": (20, 12, 12), "shards": (100, 60, 60)}
    source = make_source(tmp_path / "s", compressors=ZstdCodec(), **shape)
    for factor in (1.0, 2.0):
        plan = measure(source, (100, 12, 12), tmp_path / str(factor), factor, threads=2)
        assert plan.copy_plan[""].shards is not None
        assert plan.copy_plan[""].max_mem < source.nbytes // 4


@pytest.mark.parametrize("compressor", [numcodecs.Blosc("lz4"), numcodecs.GZip(1), None])
def test_compressors(tmp_path: Path, compressor: Any) -> None:
    source = make_source(tmp_path / "s", compressors=compressor, zarr_format=2)
    measure(source, (1000, 20, 20), tmp_path, 1.5)


FILTERS: dict[str, list[Any]] = {
    "scaled": [numcodecs.FixedScaleOffset(0, 1e-6, "f4", "i2")],
    "differences": [numcodecs.Delta("f4", "f4")],
    "digits": [numcodecs.Quantize(2, "f4")],
    "bits": [numcodecs.BitRound(8)],
    "bits of doubles": [numcodecs.AsType("f8", "f4"), numcodecs.BitRound(8)],
    "type": [numcodecs.AsType("f8", "f4")],
    "shuffled": [numcodecs.Shuffle(4)],
    "two": [numcodecs.Delta("f4", "f4"), numcodecs.FixedScaleOffset(0, 1e-6, "f4", "f4")],
}


@pytest.mark.parametrize("name", FILTERS)
def test_filters(tmp_path: Path, name: str) -> None:
    compressor = numcodecs.Blosc("lz4") if list(FILTERS).index(name) % 2 else None
    options = {"filters": FILTERS[name], "compressors": compressor}
    source = make_source(
        tmp_path / "s", dtype="f4", zarr_format=2, shape=(200, 120, 110), **options
    )
    measure(source, (200, 20, 20), tmp_path, 1.2, target_options=options)
    measure(source, (100, 60, 110), tmp_path / "large", 1.0, target_options=options)


def test_compressed_temporary_objects(noise: zarr.Array[Any], tmp_path: Path) -> None:
    options: dict[str, Any] = {"temp_options": {"compressor": numcodecs.Blosc("lz4")}}
    plan = measure(noise, (1000, 20, 20), tmp_path, 1.3, **options)
    assert plan.intermediate is not None


def test_chunks_cut_at_the_edge(noise: zarr.Array[Any], tmp_path: Path) -> None:
    measure(noise, (700, 50, 70), tmp_path, 1.2)


def test_columns(tmp_path: Path) -> None:
    source = make_source(tmp_path / "s", shape=(3000, 3000), chunks=(20, 3000))
    measure(source, (3000, 20), tmp_path, 3.0)


def test_cells_larger_than_a_slab(tmp_path: Path) -> None:
    """Every task of the last stage reads one cell, and that is its buffer."""
    source = make_source(tmp_path / "s", shape=(2000, 2000), chunks=(10, 2000))
    plan = measure(source, (2000, 2000), tmp_path, 1.0, temp_options={})
    assert plan.copy_plan[""].stages


SHARDED: dict[str, dict[str, Any]] = {
    "zstd": {},
    "gzip": {"compressors": zarr.codecs.GzipCodec(level=1)},
    "raw": {"compressors": None},
    "F order": {"filters": zarr.codecs.TransposeCodec(order=(2, 1, 0))},
    "by Zarr": {"compressors": [zarr.codecs.ZstdCodec(), zarr.codecs.Crc32cCodec()]},
}


@pytest.mark.parametrize("name", SHARDED)
def test_shards(tmp_path: Path, name: str) -> None:
    shape, shards, options = (400, 120, 110), (100, 120, 110), SHARDED[name]
    source = make_source(tmp_path / "s", shape=shape, chunks=(10, 60, 55), shards=shards, **options)
    index = "start" if name == "gzip" else "end"
    target = {"shards": {"shape": (400, 50, 110), "index_location": index}}  # cut at the edge
    # Since Python 3.12, a GzipFile is freed by the garbage collector alone: 34 kB each.
    slack = SLACK + 40 * 34_000 if name == "gzip" else SLACK
    measure(source, (400, 25, 10), tmp_path, 1.0, slack, target_options=target)


def test_strings(tmp_path: Path) -> None:
    source = zarr.create_array(tmp_path / "s", shape=(400, 500), chunks=(40, 500), dtype=str)
    lengths = np.random.default_rng(0).integers(1, 40, source.shape)
    source[...] = np.strings.multiply("x", lengths)
    measure(source, (400, 50), tmp_path, 1.2)


def test_chunks_as_they_are(noise: zarr.Array[Any], tmp_path: Path) -> None:
    measure(noise, None, tmp_path, 1.0)
