"""Lanes: one thread does what is little but Python, several do what takes long."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.abc.store import Store
from zarr.storage import MemoryStore, WrapperStore

from rechunker import rechunk
from rechunker.copying import CopyWork, Lane, Lanes, TransferWork
from rechunker.copying import lanes as lanes_module
from rechunker.executors.python import PythonExecutor
from rechunker.stores import access
from rechunker.thread_context import until


class Threads:
    """Notes which threads work, and on what."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.idents: set[int] = set()

    def __call__(self, item: int, lane: Lane) -> None:
        self.items.append(item)
        self.idents.add(threading.get_ident())
        lane.count(gets=1)


def lanes_for_one(number: int) -> Lanes:
    lanes = Lanes(number)
    lanes.alone = True
    return lanes


@pytest.mark.parametrize("number", [1, 3, 8, 64])
def test_one_thread_does_what_is_quick(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes_module, "LONG", 60)  # the test may itself wait for the processor
    work = Threads()
    with lanes_for_one(number) as lanes:
        lanes.each(range(1000), work)
    assert work.items == list(range(1000))
    assert work.idents == {threading.get_ident()}


@pytest.mark.parametrize("number", [2, 8, 64])
def test_other_threads_join_where_items_take_long(number: int) -> None:
    work, barrier = Threads(), threading.Barrier(number)

    def wait(item: int, lane: Lane) -> None:
        work(item, lane)
        time.sleep(0.03)
        if item:
            barrier.wait(20)  # passes once all threads work

    with lanes_for_one(number) as lanes:
        lanes.each(range(1 + 3 * number), wait)
        assert lanes.take_traffic().gets == 1 + 3 * number
    assert sorted(work.items) == list(range(1 + 3 * number))
    assert len(work.idents) == number + 1


def test_an_error_of_a_thread_that_works_alone_ends_the_work() -> None:
    seen = []

    def fail(item: int, lane: Lane) -> None:
        seen.append(item)
        if item == 5:
            raise OSError("no")

    with lanes_for_one(8) as lanes, pytest.raises(OSError, match="no"):
        lanes.each(range(100), fail)
    assert seen == list(range(6))


def test_a_thread_that_works_alone_stops_when_it_is_told_to() -> None:
    work = Threads()
    with (
        lanes_for_one(8) as lanes,
        until(lambda: len(work.items) >= 3),
        pytest.raises(RuntimeError, match="stopped"),
    ):
        lanes.each(range(100), work)
    assert work.items == [0, 1, 2]


class Slow(WrapperStore[Store]):
    """Nothing is known about it, so it may be far away."""


def array(chunk: int, *, number: int = 40, store: Any = None) -> zarr.Array[Any]:
    n = chunk * number
    made = zarr.create_array(
        MemoryStore() if store is None else store, shape=(n, n), chunks=(chunk, chunk), dtype="u1"
    )
    made[...] = np.add.outer(np.arange(n) % 11, np.arange(n) % 13)
    return made


def alone(source: Any, chunks: tuple[int, int], target: Any = None, **options: Any) -> list[Any]:
    """Return what the stages of a plan say, each of reading and of writing."""
    target = MemoryStore() if target is None else target
    plan = rechunk(source, chunks, "10MB", target, executor=PythonExecutor(8), **options)
    works = [stage.work for stages in plan.plan.rounds for stage in stages]
    return [work.alone for work in works if isinstance(work, CopyWork | TransferWork)]


@pytest.mark.parametrize(
    ("chunk", "chunks", "wanted"),
    [
        (20, (40, 10), (True, True)),  # 400 bytes
        (200, (400, 100), (False, False)),  # 40,000 bytes
        (20, (800, 800), (True, False)),
        (10, (400, 400), (True, True)),  # 160,000 bytes are little for one object, too
        (100, (100, 100), True),  # objects are copied as they are
        (200, (200, 200), False),
    ],
)
def test_one_thread_is_planned_for_small_requests(chunk: int, chunks: Any, wanted: Any) -> None:
    assert alone(array(chunk, number=20 if chunk == 200 else 40), chunks) == [wanted]


def test_several_threads_are_planned_for_slow_stores() -> None:
    source = array(20, store=Slow(MemoryStore()))
    assert alone(source, (40, 10)) == [(False, True)]
    assert alone(array(20), (40, 10), Slow(MemoryStore())) == [(True, False)]
    assert alone(source, (20, 20)) == [False]


@pytest.mark.parametrize("chunks", [(40, 10), (20, 20)])
def test_several_threads_read_small_chunks_from_a_slow_disk(
    chunks: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, idents = array(20, number=10), set()
    fetch = access.fetch

    def fetch_slowly(*args: Any, **kwargs: Any) -> Any:
        idents.add(threading.get_ident())
        time.sleep(0.005)
        return fetch(*args, **kwargs)

    monkeypatch.setattr(access, "fetch", fetch_slowly)
    plan = rechunk(source, chunks, "10MB", MemoryStore(), executor=PythonExecutor(8))
    target = plan.execute()
    assert len(idents) > 4
    monkeypatch.undo()
    np.testing.assert_array_equal(target[...], source[...])
