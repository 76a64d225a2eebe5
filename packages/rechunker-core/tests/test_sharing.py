"""Small tasks on slow stores: several at a time, within the memory and the requests of one."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import zarr
from test_many_arrays import SlowStore

from rechunker import rechunk
from rechunker.copying.zarr_settings import having
from rechunker.executors.python import PythonExecutor
from rechunker.running import BatchRunner, run_shared
from rechunker.thread_context import share
from rechunker.types import Stage, Traffic

NAMES = [f"array{number:02}" for number in range(24)]


class ChunkStore(SlowStore):
    """Counts the requests of chunks alone."""

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        if "/c/" in key:
            return await super().get(key, *args, **kwargs)
        return await self._store.get(key, *args, **kwargs)


class Held:
    """Tasks of stages, and the part of a worker that those that run at the same time take."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = self.most = 0.0
        self.ran: list[tuple[str, int]] = []

    def stage(self, name: str, tasks: int, sharing: int, failing: int | None = None) -> Stage:
        def work(numbers: range) -> Iterator[Traffic]:
            for number in numbers:
                with self._lock:
                    self.now += 1 / sharing
                    self.most = max(self.most, self.now)
                time.sleep(0.005)
                with self._lock:
                    self.now -= 1 / sharing
                    self.ran.append((name, number))
                if number == failing:
                    raise OSError(f"task {number} of {name}")
                yield Traffic(tasks=1)

        return Stage(name, tasks, work, sharing=sharing)


@pytest.mark.parametrize("sharings", [(2, 2), (16, 16), (5, 3, 1), (100, 7), (1, 1)])
def test_all_tasks_run_once_and_take_no_more_than_a_worker(sharings: tuple[int, ...]) -> None:
    held = Held()
    stages = [held.stage(f"{n}", 20 + n, sharing) for n, sharing in enumerate(sharings)]
    total = Traffic.total(run_shared(stages, BatchRunner()))
    wanted = [(stage.name, number) for stage in stages for number in range(len(stage))]
    assert sorted(held.ran) == sorted(wanted)
    assert total.tasks == len(wanted)
    assert held.most <= 1.0001
    assert max(sharings) == 1 or held.most > 1 / max(sharings)


def test_threads_are_shared_and_the_last_tasks_have_more_of_them() -> None:
    lock, seen, sums = threading.Lock(), dict[int, float](), list[tuple[float, int]]()

    def work(numbers: range) -> Iterator[Traffic]:
        for number in numbers:
            for _ in range(1 + 20 * (number < 2)):  # two of them take long
                with lock:
                    seen[threading.get_ident()] = share()
                    sums.append((sum(seen.values()), len(seen)))
                time.sleep(0.005)
            with lock:
                del seen[threading.get_ident()]
            yield Traffic(tasks=1)

    stages = [Stage(f"{number}", 2 + number, work, sharing=16) for number in range(12)]
    list(run_shared(stages, BatchRunner()))
    parts = {round(total / running, 4) for total, running in sums}
    assert min(parts) == 1 / 16
    assert sums[-1][0] > 1 / 16
    assert max(total for total, _ in sums if total) <= 1.0001
    assert share() == 1


def test_after_an_error_no_task_begins_and_none_runs() -> None:
    held = Held()
    stages = [held.stage("bad", 3, 16, failing=1), held.stage("good", 400, 16)]
    with pytest.raises(OSError, match="task 1 of bad"):
        list(run_shared(stages, BatchRunner()))
    ran = len(held.ran)
    assert ran < 200
    assert not held.now
    time.sleep(0.02)
    assert len(held.ran) == ran


def test_a_failed_task_is_tried_again() -> None:
    tries: list[int] = []

    def work(numbers: range) -> Iterator[Traffic]:
        for number in numbers:
            tries.append(number)
            if tries.count(number) == 1 and number == 5:
                raise OSError("once")
            yield Traffic(tasks=1)

    total = Traffic.total(run_shared([Stage("once", 9, work, sharing=3)], BatchRunner(retries=1)))
    assert (total.tasks, total.retries) == (9, 1)
    assert sorted(tries) == sorted([*range(9), 5])


def test_a_closed_run_ends_its_tasks() -> None:
    held = Held()
    tasks = run_shared([held.stage("long", 400, 4)], BatchRunner())
    next(tasks)
    tasks.close()
    assert not held.now
    assert len(held.ran) < 100


def planned(source: SlowStore, target: SlowStore, max_mem: Any, **changes: Any) -> Any:
    return rechunk(
        zarr.open_group(source, mode="r"),
        dict.fromkeys(NAMES, (20, 10)),
        max_mem,
        target,
        executor=PythonExecutor(threads=8),
        **changes,
    )


@pytest.fixture
def source() -> ChunkStore:
    store = ChunkStore()
    root = zarr.create_group(store._store)
    for number, name in enumerate(NAMES):
        array = root.create_array(name, shape=(20, 20), chunks=(10, 20), dtype="f8")
        array[...] = np.arange(400.0).reshape(20, 20) + number
    return store


def test_small_arrays_are_copied_at_the_same_time(source: SlowStore) -> None:
    target = ChunkStore()
    rechunked = planned(source, target, "10MB")
    source.forget()
    result = rechunked.execute()
    # Each of eight tasks has one request in flight.
    assert 3 < source.most["get"] <= 8
    assert 3 < target.most["set"] <= 8
    for number, name in enumerate(NAMES):
        found = zarr.open_array(target._store, path=name, mode="r")
        assert found.chunks == (20, 10)
        assert np.array_equal(found[...], np.arange(400.0).reshape(20, 20) + number)
    assert {stage.executed for stage in rechunked.report.stages} != {None}
    assert result.store is not None


def test_tasks_that_need_the_memory_alone_have_it_alone(source: SlowStore) -> None:
    target, alone = ChunkStore(), planned(source, ChunkStore(), "10MB").copy_plan[NAMES[0]]
    memory = max(stage.memory for stage in alone.stages)
    rechunked = planned(source, target, 2 * memory)
    source.forget()
    rechunked.execute()
    assert source.most["get"] <= 2


def test_an_interrupt_ends_shared_tasks_within_a_second(source: SlowStore) -> None:
    target = ChunkStore()
    rechunked, begun = planned(source, target, "10MB"), threading.Event()

    class Stuck(ChunkStore):
        async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
            begun.set()
            await asyncio.sleep(0.2)
            return await super().get(key, *args, **kwargs)

    source.__class__ = Stuck

    def interrupt(*done: int) -> None:
        raise KeyboardInterrupt

    before, began = set(threading.enumerate()), time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        rechunked.execute(progress=interrupt)
    assert begun.is_set()
    assert time.monotonic() - began < 20
    new = set(threading.enumerate()) - before
    running = [thread.name for thread in new if thread.name.startswith("ThreadPool")]
    source.forget()
    time.sleep(0.3)
    assert not source.count
    assert not running


def test_settings_of_zarr_are_those_of_before_when_all_has_ended(source: SlowStore) -> None:
    """Tasks that run at the same time have the settings of the plan, and leave none behind."""
    seen = set[Any]()

    class Looking(ChunkStore):
        async def set(self, key: str, value: Any) -> None:
            if "/c/" in key:
                seen.add(zarr.config.get("async.concurrency"))
            await super().set(key, value)

    before = zarr.config.get("async.concurrency")
    with zarr.config.set({"async.concurrency": 7}):
        rechunked = planned(source, Looking(), "10MB")
    for _ in range(3):
        rechunked.execute()
        assert zarr.config.get("async.concurrency") == before
    assert seen == {7}


def test_all_stages_have_the_settings_of_the_plan(source: SlowStore) -> None:
    with zarr.config.set({"async.concurrency": 7}):
        rechunked = planned(source, ChunkStore(), "10MB")
    (spec, *_) = rechunked._run.specs(verify=True)
    assert [stage.work.settings for stage in spec.stages if stage.tasks] == [
        {"async.concurrency": 7},
        {"async.concurrency": 7},
    ]


def test_different_settings_of_zarr_end_in_any_order() -> None:
    name, before = "async.concurrency", zarr.config.get("async.concurrency")
    settings: list[dict[str, int]] = [{name: 1}, {name: 2}, {name: 1}, {}]
    for order in permutations(range(4)):
        contexts = [having(each) for each in settings]
        for context in contexts:
            context.__enter__()
        for number in order:
            contexts[number].__exit__(None, None, None)
        assert zarr.config.get(name) == before, order
    with having({name: 1}), having({name: 2}):
        assert zarr.config.get(name) == 2
