"""Dask arrays as sources: each block is computed once, in the task that reads it."""

from __future__ import annotations

import pickle
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any

import dask
import dask.array as da
import numcodecs
import numpy as np
import pytest
import zarr

from rechunker import Rechunked, rechunk
from rechunker.copying import CopyError, Lane
from rechunker.copying.lanes import Once
from rechunker.executors.python import PythonExecutor
from rechunker.planning import MemoryLimitError
from rechunker.sources.dask import DaskReader, dask_source
from rechunker.types import CopySpec, rounds


def numbers(shape: tuple[int, ...]) -> Any:
    return np.arange(1, 1 + np.prod(shape, dtype=int)).reshape(shape)


def planned(source: Any, chunks: Any, tmp_path: Path, **kwargs: Any) -> Rechunked:
    kwargs = {"max_mem": "1MB", "temp_store": tmp_path / "temp", "executor": "python", **kwargs}
    return rechunk(source, chunks, target_store=tmp_path / "target", **kwargs)


def copied(source: Any, chunks: Any, tmp_path: Path, **kwargs: Any) -> Any:
    return planned(source, chunks, tmp_path, **kwargs).execute()


class Keeper(PythonExecutor):
    """Keeps what it is given."""

    specs: tuple[CopySpec, ...] = ()

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Any:
        self.specs = tuple(specs)


BLOCKS: dict[str, Any] = {
    "even": (10, 8),
    "large": (60, 40),
    "small": (1, 5),
    "uneven": ((7, 1, 30, 22), (3, 37)),
    "one long": ((60,), (1, 38, 1)),
    "empty ones": ((0, 20, 0, 0, 40, 0), (40, 0)),
}


@pytest.mark.parametrize("max_mem", [15_000, 60_000, 10**6])
@pytest.mark.parametrize("blocks", BLOCKS)
def test_blocks_of_any_size(tmp_path: Path, blocks: str, max_mem: int) -> None:
    values = numbers((60, 40)).astype("i4" if blocks == "large" else "i8")
    source = da.from_array(values, chunks=BLOCKS[blocks])
    needed = 5 * max(source.chunksize[0] * source.chunksize[1] * values.itemsize, 1000) * 2
    target = copied(source, (60, 3), tmp_path, max_mem=max(max_mem, needed))
    assert target.chunks == (60, 3)
    assert np.array_equal(target[...], values)


@pytest.mark.parametrize("chunks", [(60, 3), (7, 7), (1, 40)])
@pytest.mark.parametrize("max_mem", [20_000, 200_000])
def test_each_block_is_computed_exactly_once(tmp_path: Path, chunks: Any, max_mem: int) -> None:
    calls: Counter[Any] = Counter()
    lock = Lock()

    def count(block: Any, block_info: Any = None) -> Any:
        with lock:
            calls[tuple(block_info[None]["chunk-location"])] += 1
        return block + 1

    base = da.from_array(numbers((60, 40)).astype("i4"), chunks=((25, 5, 30), (10, 30)))
    source = base.map_blocks(count, dtype="i4", meta=np.empty((0, 0), "i4"))
    target = copied(source, chunks, tmp_path, max_mem=max_mem)
    assert np.array_equal(target[...], numbers((60, 40)) + 1)
    assert calls == Counter(dict.fromkeys(np.ndindex(3, 2), 1))


def test_a_graph_that_is_more_than_reading(tmp_path: Path) -> None:
    base = zarr.create_array(tmp_path / "source", shape=(60, 40), chunks=(7, 9), dtype="i4")
    base[...] = numbers((60, 40))
    source = (da.from_zarr(base).rechunk((20, 20)).T + 1)[5:, ::2]
    target = copied(source, (10, 30), tmp_path)
    assert np.array_equal(target[...], (numbers((60, 40)).T + 1)[5:, ::2])


def test_any_dtype(tmp_path: Path) -> None:
    for dtype in ("?", "i1", "<u2", ">f4", "c16", "M8[ns]", "m8[s]", "U3", "S2"):
        values = numbers((6, 5)).astype("i8").astype(dtype)
        source = da.from_array(values, chunks=(2, 3))
        place, options = tmp_path / np.dtype(dtype).name, {"zarr_format": 2}
        target = copied(source, (6, 1), place, target_options=options)
        assert target.dtype == np.dtype(dtype)
        assert np.array_equal(target[...], values), dtype


def test_a_scalar_and_an_array_without_elements(tmp_path: Path) -> None:
    assert copied(da.asarray(5.0), (), tmp_path)[()] == 5.0
    source = da.zeros((0, 4), chunks=(1, 2))
    empty = rechunk(source, (1, 4), "1kB", tmp_path / "empty", executor="python").execute()
    assert (empty.shape, empty.chunks) == ((0, 4), (1, 4))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_format_is_the_one_that_is_asked_for(tmp_path: Path, zarr_format: int) -> None:
    options = {"zarr_format": zarr_format, "compressor": numcodecs.Zlib(1), "fill_value": 7}
    source = da.from_array(numbers((6, 5)), chunks=(2, 3))
    target = copied(source, (6, 1), tmp_path, target_options=options)
    assert (target.metadata.zarr_format, target.fill_value) == (zarr_format, 7)


def test_the_format_of_a_group_is_that_of_the_target(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "group", zarr_format=2)
    options: dict[str, Any] = {"array_name": "ones", "executor": "python"}
    rechunk(da.ones((4, 4)), (2, 2), "1MB", group, **options).execute()
    assert zarr.open_group(tmp_path / "group")["ones"].metadata.zarr_format == 2


def test_chunks_may_stay_as_they_are(tmp_path: Path) -> None:
    assert copied(da.ones((50, 40), chunks=(20, 40)), None, tmp_path).chunks == (20, 40)


def test_chunks_may_be_given_by_names_of_dimensions(tmp_path: Path) -> None:
    options = {"dimension_names": ["y", "x"]}
    source = da.ones((50, 40), chunks=(20, 40))
    target = copied(source, {"x": 5}, tmp_path, target_options=options)
    assert (target.chunks, target.metadata.dimension_names) == ((20, 5), ("y", "x"))


# Memory and speed


def test_what_is_held_while_a_block_is_computed_is_counted() -> None:
    source = dask_source(da.ones((1000, 1000), chunks=(100, 1000), dtype="f8").sum(axis=1))
    assert source.read_bytes >= 100 * 1000 * 8


def test_memory_stays_within_what_was_given(tmp_path: Path) -> None:
    base = zarr.create_array(tmp_path / "source", shape=(2000, 1000), chunks=(100, 100), dtype="f8")
    source = (da.from_zarr(base) + 1) * 2
    rechunked = planned(
        source, (2000, 10), tmp_path, max_mem="2MB", executor=PythonExecutor(threads=1)
    )
    tracemalloc.start()
    rechunked.execute()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.25 * 2_000_000


def test_a_block_runs_only_its_own_part_of_the_graph() -> None:
    ran: list[int] = []

    def run(block: Any) -> Any:
        ran.append(1)
        return block

    source = da.ones((1000, 10), chunks=(1, 10)).map_blocks(run, meta=np.empty((0, 0)))
    reader = dask_source(source).reader
    ((start, data),) = reader.pieces((500, 0), None, Lane(Once()))  # type: ignore[arg-type]
    assert (start, data.shape, len(ran)) == ((500, 0), (1, 10), 1)


def test_a_plan_travels_also_with_functions_that_pickle_cannot_send(tmp_path: Path) -> None:
    source = da.ones((40, 40), chunks=(10, 40)).map_blocks(lambda block: block * 3)
    keeper = Keeper()
    planned(source, (40, 10), tmp_path, executor=keeper)
    stages = pickle.dumps([stage for together in rounds(keeper.specs) for stage in together])
    program = (
        "import pickle, sys\n"
        "for stage in pickle.load(sys.stdin.buffer):\n"
        "    stage(range(len(stage)))\n"
    )
    subprocess.run([sys.executable, "-c", program], input=stages, check=True)
    assert np.array_equal(zarr.open_array(tmp_path / "target")[...], np.full((40, 40), 3))


def test_a_worker_puts_the_graph_together_only_once() -> None:
    packed = pickle.dumps(DaskReader(da.ones((40, 40), chunks=(10, 40)) + 1))
    assert pickle.loads(packed) is pickle.loads(packed)


# What is refused


def test_unknown_sizes_are_refused_with_advice(tmp_path: Path) -> None:
    source = da.arange(100, chunks=10)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        planned(source[source > 50], (10,), tmp_path)
    assert not (tmp_path / "target").exists()


def test_objects_are_refused_unless_it_is_said_what_they_are(tmp_path: Path) -> None:
    values = np.array(["a", "bc", "a long one, of more than sixteen bytes"], object)
    source = da.from_array(values, chunks=2)
    with pytest.raises(TypeError, match="astype"):
        planned(source, (3,), tmp_path)
    options = {"filters": numcodecs.VLenUTF8(), "zarr_format": 2}
    assert list(copied(source, (3,), tmp_path, target_options=options)[...]) == list(values)


def test_strings_of_numpy(tmp_path: Path) -> None:
    values = np.array([f"text {i} " + "x" * i for i in range(30)], np.dtypes.StringDType())
    target = copied(da.from_array(values, chunks=4), (30,), tmp_path)
    assert list(target[...]) == list(values)


def test_uneven_blocks_have_no_chunks_to_stay(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="differ in size"):
        planned(da.ones(10, chunks=((3, 7),)), None, tmp_path)


@pytest.mark.parametrize("found", ["at once", "when computed"])
def test_masked_arrays_are_refused(tmp_path: Path, found: str) -> None:
    source = da.ma.masked_equal(da.ones((4, 4)), 1)
    if found == "when computed":
        source = source.map_blocks(lambda block: block, meta=np.empty((0, 0)))
    with pytest.raises((TypeError, CopyError), match="filled"):
        copied(source, (2, 2), tmp_path)


def test_blocks_of_another_shape_than_they_should_have_are_refused(tmp_path: Path) -> None:
    source = da.ones((4, 4)).map_blocks(lambda block: block[:2], meta=np.empty((0, 0)))
    with pytest.raises(CopyError, match=r"shape \(2, 4\), not \(4, 4\)"):
        copied(source, (2, 2), tmp_path)


def test_an_array_is_not_written_on_top_of_what_it_reads(tmp_path: Path) -> None:
    base = zarr.create_array(tmp_path / "target", shape=(4,), chunks=(2,), dtype="i4")
    with pytest.raises(ValueError, match="never changed"):
        planned(da.from_zarr(base) + 1, (4,), tmp_path, target_options={"overwrite": True})


def test_too_little_memory_is_told_with_what_would_do(tmp_path: Path) -> None:
    source = da.ones((100, 100), chunks=(50, 50))
    with pytest.raises(MemoryLimitError) as caught:
        planned(source, (100, 1), tmp_path, max_mem=1000)
    planned(source, (100, 1), tmp_path, max_mem=caught.value.needed)


def test_an_array_that_is_persisted_in_this_process_is_read(tmp_path: Path) -> None:
    source = (da.from_array(numbers((6, 5)), chunks=(2, 3)) + 1).persist(scheduler="synchronous")
    assert np.array_equal(copied(source, (6, 1), tmp_path)[...], numbers((6, 5)) + 1)


def test_tasks_never_ask_the_scheduler_that_is_set(tmp_path: Path) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("asked")

    source = da.ones((6, 5), chunks=(2, 3)) + 1
    with dask.config.set(scheduler=refuse):
        assert (copied(source, (6, 1), tmp_path)[...] == 2).all()
