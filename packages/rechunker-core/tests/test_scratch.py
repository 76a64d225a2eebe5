"""Scratch memory: it is used again, and grows without being cleared where that can be done."""

from __future__ import annotations

import gc
import mmap
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import ZstdCodec
from zarr.storage import MemoryStore

from rechunker import rechunk, scratch
from rechunker.copying import CopyWork, Lanes, TempReader, ZarrWriter
from rechunker.copying.buffers import cell_buffer
from rechunker.executors.python import PythonExecutor
from rechunker.scratch import Scratch, drop_spare, keep_spare, spare_memory, take_spare

LARGE = 1 << 20


def test_memory_that_nobody_refers_to_grows_in_place() -> None:
    memory = Scratch()
    memory.take_pages(LARGE)[:] = 7
    grown = memory.take_pages(8 * LARGE)
    assert grown.size == 8 * LARGE
    grown[-1] = 1  # all of it is mapped
    assert grown.ctypes.data % mmap.PAGESIZE == 0


def test_memory_that_somebody_refers_to_stays_as_it_is() -> None:
    memory = Scratch()
    first = memory.take(LARGE)
    first[:] = 7
    second = memory.take(2 * LARGE)
    second[:] = 1
    assert not np.may_share_memory(first, second)
    assert (first == 7).all()
    assert memory.holds(second)
    assert not memory.holds(first)


def test_a_small_buffer_becomes_a_large_one() -> None:
    memory = Scratch()
    memory.take(100)[:] = 7
    assert memory.take(LARGE).size == LARGE
    memory.release()
    assert memory.take(10).size == 10


def test_memory_is_handed_on_and_becomes_as_small_as_needed() -> None:
    with spare_memory():
        memory = take_spare()
        memory.take(8 * LARGE)[:] = 7
        keep_spare(memory)
        again = take_spare()
        assert again is memory
        assert take_spare() is not memory  # nobody else has it
        assert (again.take(2 * LARGE) == 7).all()  # it was not cleared
        assert again._bytes.size == 2 * LARGE
        assert again.take(LARGE).size == LARGE
        assert again._bytes.size == 2 * LARGE  # for the next task
        assert again.take(4 * LARGE).size == 4 * LARGE
        keep_spare(again)
        assert take_spare().take(100).size == 100
        keep_spare(again)
        other = Scratch()
        other.take(LARGE)
        keep_spare(other)  # nothing is kept besides
        assert not again._bytes.size
        drop_spare()
        assert not other._bytes.size
        again.take(LARGE)
        keep_spare(again)
    assert not again._bytes.size
    again.take(LARGE)
    keep_spare(again)  # nobody can take it here
    assert not again._bytes.size


def test_memory_that_somebody_still_refers_to_is_not_handed_on() -> None:
    with spare_memory():
        memory = Scratch()
        held = memory.take(4 * LARGE)
        held[:] = 7
        keep_spare(memory)
        taken = take_spare().take(LARGE)
        taken[:] = 1
        assert (held == 7).all()


@pytest.mark.parametrize("compressor", [None, "auto"])
def test_threads_keep_their_memory_only_where_writing_takes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compressor: str | None
) -> None:
    source = zarr.create_array(tmp_path / "s", shape=(400, 400), chunks=(4, 400), dtype="f8")
    source[...] = np.arange(160_000.0).reshape(400, 400)
    held: dict[bool, set[bool]] = {}
    trim = Lanes.trim

    def look(lanes: Lanes) -> None:
        sizes = [lane.decoded._bytes.size for lane in lanes._lanes]
        held.setdefault(lanes.keep, set()).add(any(sizes))
        trim(lanes)

    monkeypatch.setattr(Lanes, "trim", look)
    rechunked = rechunk(
        source,
        (400, 4),
        "300kB",
        tmp_path / "t",
        temp_store=tmp_path / "x",
        temp_options={"compressor": compressor},
        executor="python",
    )
    target = rechunked.execute()
    assert rechunked.copy_plan[""].hops == 1
    np.testing.assert_array_equal(target[...], source[...])
    # Raw temporary objects are written from the box; all else is encoded first.
    assert held == ({True: {True}, False: {False}} if compressor is None else {False: {False}})


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of all memory that tasks have mapped, in order."""
    mapped: list[int] = []
    make = scratch._anonymous

    def note(nbytes: int) -> mmap.mmap:
        mapped.append(nbytes)
        return make(nbytes)

    monkeypatch.setattr(scratch, "_anonymous", note)
    return mapped


def test_stages_hand_on_the_memory_of_their_box(tmp_path: Path, sizes: list[int]) -> None:
    """What is mapped for the box of one stage is not mapped again for the next."""
    values = np.arange(4_000_000.0).reshape(2000, 2000)
    source = zarr.create_array(tmp_path / "s", data=values, chunks=(20, 2000))
    rechunked = rechunk(
        source, (2000, 20), "8MB", tmp_path / "t", temp_store=tmp_path / "x", executor="python"
    )
    assert rechunked.copy_plan[""].hops == 1
    np.testing.assert_array_equal(rechunked.execute()[...], values)
    boxes = [nbytes for nbytes in sizes if nbytes > 2_000_000]
    assert len(boxes) == 1, sizes


class Mapped(mmap.mmap):
    """Memory that can be counted as long as somebody refers to it."""


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> weakref.WeakSet[Mapped]:
    """All memory of tasks."""
    maps = weakref.WeakSet[Mapped]()

    def note(nbytes: int) -> Mapped:
        made = Mapped(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        maps.add(made)
        return made

    monkeypatch.setattr(scratch, "_anonymous", note)
    return maps


def test_strings_do_not_hold_the_box_of_the_stage_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mapped: weakref.WeakSet[Mapped]
) -> None:
    group = zarr.create_group(tmp_path / "s")
    group.create_array("a", data=np.arange(400_000.0).reshape(400, 1000), chunks=(20, 1000))
    group.create_array("b", shape=(2000, 10), chunks=(200, 10), dtype=str)[...] = "word"
    held: dict[str, int] = {}

    def look(layout: Any, dtype: Any, memory: Scratch) -> Any:
        cells = cell_buffer(layout, dtype, memory)
        held[dtype.kind] = max(held.get(dtype.kind, 0), sum(map(len, mapped)))
        return cells

    monkeypatch.setattr("rechunker.copying.copy.cell_buffer", look)
    chunks = {"a": (400, 20), "b": (2000, 1)}
    rechunked = rechunk(group, chunks, "4MB", tmp_path / "t", executor=PythonExecutor(threads=1))
    rechunked.execute()
    text = next(kind for kind in held if kind != "f")
    assert held["f"] > 1_000_000
    assert held[text] < 300_000
    assert not mapped


@pytest.mark.parametrize("threads", [1, 4])
def test_a_task_that_is_tried_again_does_not_hold_the_memory_of_the_first_try(
    tmp_path: Path, mapped: weakref.WeakSet[Mapped], threads: int
) -> None:
    values = np.arange(1_000_000.0).reshape(1000, 1000)
    source = zarr.create_array(tmp_path / "s", data=values, chunks=(20, 1000))
    fails, most = [5], [0]

    class Failing(MemoryStore):
        async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
            most[0] = max(most[0], sum(map(len, mapped)))
            if "/0/" in key and fails[0]:
                fails[0] -= 1
                raise RuntimeError(key)
            return await super().get(key, *args, **kwargs)

    executor = PythonExecutor(threads=threads, retries=5)
    rechunked = rechunk(
        source, (1000, 20), "3MB", tmp_path / "t", temp_store=Failing(), executor=executor
    )
    assert rechunked.copy_plan[""].hops == 1
    gc.disable()
    try:
        result = rechunked.execute()
    finally:
        gc.enable()
    np.testing.assert_array_equal(result[...], values)
    assert not fails[0]
    assert 1_000_000 < most[0] <= 3_000_000


@pytest.mark.parametrize("temp", ["raw", "zstd"])
def test_threads_write_shards_with_the_memory_that_they_have_read_with(
    tmp_path: Path, sizes: list[int], temp: str
) -> None:
    """Where cells are decoded from other memory, that of shards is freed after each task."""
    values = np.random.default_rng(0).random((1024, 2048))
    source = zarr.create_array(tmp_path / "s", data=values, chunks=(8, 2048))
    rechunked = rechunk(
        source,
        (1024, 8),
        "8MB",
        tmp_path / "t",
        {"shards": (1024, 64)},
        temp_store=tmp_path / "x",
        temp_options={"compressor": None} if temp == "raw" else {"compressors": ZstdCodec()},
        executor=PythonExecutor(threads=2),
    )
    (plan,) = rechunked.copy_plan.values()
    assert plan.hops == 1
    assert plan.stages[-1].tasks >= 8
    np.testing.assert_array_equal(rechunked.execute()[...], values)
    shards = sum(524_288 <= nbytes < 600_000 for nbytes in sizes)
    if temp == "raw":
        assert len(sizes) == 3, sizes  # the box, and what grows for each thread
    else:
        assert shards >= plan.stages[-1].tasks


@pytest.mark.parametrize(("shard", "max_mem"), [(64, "20MB"), (512, "40MB")])
def test_memory_of_shards_is_kept_where_all_threads_write(
    tmp_path: Path, mapped: weakref.WeakSet[Mapped], shard: int, max_mem: str
) -> None:
    """Otherwise threads that have read hold memory besides those that write."""
    values = np.random.default_rng(0).integers(1, 1 << 60, (2048, 4096))
    source = zarr.create_array(tmp_path / "s", data=values, chunks=(16, 4096))
    options: Any = {"shards": (2048, shard), "compressors": None}
    rechunked = rechunk(
        source,
        (64, 64),
        max_mem,
        tmp_path / "t",
        options,
        temp_store=tmp_path / "x",
        temp_options={"compressor": None},
        executor=PythonExecutor(threads=4),
    )
    (plan,) = rechunked.copy_plan.values()
    assert (plan.hops, plan.footprint.concurrency) == (1, 4)
    most, kept = [0], set[bool]()
    run = CopyWork._run

    def look(work: CopyWork, task: int, lanes: Lanes) -> None:
        if work.name.endswith("write"):
            kept.add(work._is_in_place)
        run(work, task, lanes)

    def watch(*done: int) -> None:
        most[0] = max(most[0], sum(map(len, mapped)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CopyWork, "_run", look)
        patch.setattr(ZarrWriter, "_store", looking(ZarrWriter._store, watch))
        patch.setattr(TempReader, "pieces", looking(TempReader.pieces, watch))
        result = rechunked.execute()
    np.testing.assert_array_equal(result[...], values)
    assert kept == {shard == 64}
    assert 0 < most[0] <= plan.stages[-1].memory


def looking(method: Any, look: Any) -> Any:
    """Return a method that looks before it does its work."""

    def wrapped(*args: Any) -> Any:
        look()
        return method(*args)

    return wrapped
