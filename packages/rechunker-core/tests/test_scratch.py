"""Scratch memory: it is used again, and grows without being cleared where that can be done."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest
import zarr

from rechunker import rechunk, scratch
from rechunker.copying import Lanes
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


def test_stages_hand_on_the_memory_of_their_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is mapped for the box of one stage is not mapped again for the next."""
    mapped: list[int] = []
    make = scratch._anonymous

    def note(nbytes: int) -> mmap.mmap:
        mapped.append(nbytes)
        return make(nbytes)

    monkeypatch.setattr(scratch, "_anonymous", note)
    values = np.arange(4_000_000.0).reshape(2000, 2000)
    source = zarr.create_array(tmp_path / "s", data=values, chunks=(20, 2000))
    rechunked = rechunk(
        source, (2000, 20), "8MB", tmp_path / "t", temp_store=tmp_path / "x", executor="python"
    )
    assert rechunked.copy_plan[""].hops == 1
    np.testing.assert_array_equal(rechunked.execute()[...], values)
    boxes = [nbytes for nbytes in mapped if nbytes > 2_000_000]
    assert len(boxes) == 1, mapped
