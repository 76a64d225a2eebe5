"""Scratch memory: it is used again, and grows without being cleared where that can be done."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest
import zarr

from rechunker import rechunk
from rechunker.copying import Lanes
from rechunker.scratch import Scratch

LARGE = 1 << 20


def test_memory_that_nobody_refers_to_grows_in_place() -> None:
    scratch = Scratch()
    scratch.take_pages(LARGE)[:] = 7
    grown = scratch.take_pages(8 * LARGE)
    assert grown.size == 8 * LARGE
    grown[-1] = 1  # all of it is mapped
    assert grown.ctypes.data % mmap.PAGESIZE == 0


def test_memory_that_somebody_refers_to_stays_as_it_is() -> None:
    scratch = Scratch()
    first = scratch.take(LARGE)
    first[:] = 7
    second = scratch.take(2 * LARGE)
    second[:] = 1
    assert not np.may_share_memory(first, second)
    assert (first == 7).all()
    assert scratch.holds(second)
    assert not scratch.holds(first)


def test_a_small_buffer_becomes_a_large_one() -> None:
    scratch = Scratch()
    scratch.take(100)[:] = 7
    assert scratch.take(LARGE).size == LARGE
    scratch.release()
    assert scratch.take(10).size == 10


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
