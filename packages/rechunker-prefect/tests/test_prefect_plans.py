"""Plans are flows: small, bounded, and complete without `execute_plan`."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import httpx
import numpy as np
import pytest
import zarr
from prefect import Flow, flow
from prefect.settings import (
    PREFECT_LOCAL_STORAGE_PATH,
    PREFECT_RESULTS_PERSIST_BY_DEFAULT,
    get_current_settings,
    temporary_settings,
)
from prefect.task_runners import ThreadPoolTaskRunner

from rechunker import Rechunked, rechunk
from rechunker.testing import Flaky, Lasting, Nothing
from rechunker.types import CopySpec, Stage, Traffic
from rechunker_prefect import PrefectExecutor, progress
from rechunker_prefect.flow import Window

pytestmark = pytest.mark.usefixtures("plain")

LARGE = 10**12  # bytes of a stage so large that each task has its own batch


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(tmp_path / "s", shape=(60, 50), chunks=(1, 50), dtype="i4")
    array[...] = np.arange(3000).reshape(60, 50) + 1
    return array


def plan(source: Any, place: Path, **options: Any) -> Rechunked[Any]:
    stores = {"target_store": place / "target", "temp_store": place / "temp"}
    return rechunk(source, (60, 1), 2000, **{**stores, "executor": "prefect", **options})


def check(source: zarr.Array[Any], place: Path) -> None:
    np.testing.assert_array_equal(zarr.open_array(place / "target")[...], source[...])
    assert not any((place / "temp").rglob("*"))


def specs(tasks: int, work: Any, nbytes: int = LARGE) -> list[CopySpec]:
    return [CopySpec("a", (Stage("a: do", tasks, work, nbytes=nbytes),))]


def million() -> list[CopySpec]:
    stages = (Stage(f"air: {verb}", 500_000, Nothing(), nbytes=10**13) for verb in ("r", "w"))
    return [CopySpec("air", tuple(stages))]


@dataclass(frozen=True)
class Crowd:
    """Tasks that take a moment, and record how many of them run at a time."""

    seen: list[int]
    inside: set[int]

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            self.inside.add(task)
            self.seen.append(len(self.inside))
            time.sleep(0.02)
            self.inside.remove(task)
            yield Traffic(tasks=1)


def test_a_plan_is_a_flow(source: zarr.Array[Any], tmp_path: Path) -> None:
    assert isinstance(plan(source, tmp_path).plan, Flow)


def test_calling_a_plan_publishes_the_target(source: zarr.Array[Any], tmp_path: Path) -> None:
    traffic = plan(source, tmp_path).plan()
    check(source, tmp_path)
    assert isinstance(traffic, Traffic)


def test_a_plan_can_be_part_of_a_flow(source: zarr.Array[Any], tmp_path: Path) -> None:
    rechunked = plan(source, tmp_path)

    @flow
    def mine() -> Traffic:
        done: Traffic = rechunked.plan()
        return done

    stages = rechunked.copy_plan[""].stages
    assert mine().puts == sum(stage.puts for stage in stages)
    check(source, tmp_path)


def test_a_plan_can_be_executed_in_a_flow(source: zarr.Array[Any], tmp_path: Path) -> None:
    rechunked = plan(source, tmp_path)

    @flow
    def mine() -> None:
        rechunked.execute()

    mine()
    check(source, tmp_path)


def test_a_plan_can_be_executed_inside_an_event_loop(
    source: zarr.Array[Any], tmp_path: Path
) -> None:
    rechunked = plan(source, tmp_path)

    async def notebook() -> None:
        rechunked.execute()

    asyncio.run(notebook())
    check(source, tmp_path)


def test_a_plan_can_be_called_with_retries(tmp_path: Path) -> None:
    called = PrefectExecutor().prepare_plan(specs(3, Flaky(tmp_path, times=2)))
    with pytest.raises(OSError, match="fails on attempt 1"):
        called()
    assert called(retries=1).tasks == 3


def test_traffic_is_that_of_the_plan(source: zarr.Array[Any], tmp_path: Path) -> None:
    rechunked = plan(source, tmp_path)
    rechunked.execute()
    stages = rechunked.copy_plan[""].stages
    assert rechunked.traffic is not None
    assert rechunked.traffic.tasks == sum(stage.tasks for stage in stages)
    assert rechunked.traffic.bytes_written == sum(stage.bytes_written for stage in stages)


def test_a_plan_of_a_million_tasks_is_small() -> None:
    start = time.process_time()
    made = PrefectExecutor().prepare_plan(million())
    assert time.process_time() - start < 2
    assert len(cloudpickle.dumps(made)) < 50_000


def test_stores_in_memory(source: zarr.Array[Any], tmp_path: Path) -> None:
    executor = PrefectExecutor(workers=2)
    stores: dict[str, Any] = {"target_store": {}, "temp_store": {}}
    target: Any = plan(source, tmp_path, executor=executor, **stores).execute()
    np.testing.assert_array_equal(target[...], source[...])


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_tasks_run_than_the_plan_is_made_for(workers: int) -> None:
    seen: list[int] = []
    unlimited = PrefectExecutor(ThreadPoolTaskRunner(), workers=workers)
    unlimited.execute_plan(unlimited.prepare_plan(specs(24, Crowd(seen, set()))))
    assert max(seen) == workers


def test_another_task_runner_does_not_run_more_tasks() -> None:
    seen: list[int] = []
    made = PrefectExecutor(workers=2).prepare_plan(specs(24, Crowd(seen, set())))
    larger: Any = ThreadPoolTaskRunner(max_workers=20)
    made.with_options(task_runner=larger)()
    assert max(seen) == 2


def test_no_task_starts_after_a_failure(tmp_path: Path) -> None:
    executor = PrefectExecutor()
    with pytest.raises(OSError, match="task 1 fails"):
        executor.execute_plan(executor.prepare_plan(specs(30, Flaky(tmp_path, times=9))))
    assert {path.name for path in tmp_path.iterdir()} == {"flaky 0.0", "flaky 1.0"}


def test_the_timeout_of_a_flow_ends_a_plan() -> None:
    executor = PrefectExecutor()
    made = executor.prepare_plan(specs(3000, Crowd([], set())))
    with pytest.raises(TimeoutError):
        executor.execute_plan(made, timeout_seconds=1)


@pytest.mark.timeout(120)
def test_an_interrupt_at_any_step_ends_a_plan(tmp_path: Path) -> None:
    executor = PrefectExecutor(workers=2)
    made = executor.prepare_plan(specs(8, Lasting(tmp_path, 0.01)))
    for step in range(2, 30, 3):
        with interrupted(Window.run, step), pytest.raises(KeyboardInterrupt):
            executor.execute_plan(made)
        begun, ended = (len(list(tmp_path.glob(f"{word} *"))) for word in ("begin", "end"))
        assert begun == ended


@contextmanager
def interrupted(function: Any, step: int) -> Iterator[None]:
    """Raise a `KeyboardInterrupt` before a function takes its n-th step."""
    steps = itertools.count(1)

    def count(frame: Any, event: str, argument: Any) -> Any:
        if event == "line" and next(steps) == step:
            raise KeyboardInterrupt
        return count

    def watch(frame: Any, event: str, argument: Any) -> Any:
        return count if frame.f_code is function.__code__ else None

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        yield
    finally:
        sys.settrace(before)


def test_braces_in_the_names_of_arrays_are_kept() -> None:
    names: list[str] = []

    def hook(flow: Any, flow_run: Any, state: Any) -> None:
        names.append(flow_run.name)

    executor = PrefectExecutor()
    stage = Stage("{air}: read", 9, Nothing())
    made = executor.prepare_plan([CopySpec(name, (stage,)) for name in ("{air}", "b", "c", "d")])
    executor.execute_plan(made, on_running=[hook])
    assert names == ["rechunk {air}, b, c and 1 more"]


def test_nothing_is_left_behind(
    source: zarr.Array[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def state() -> list[Any]:
        loggers = [logging.getLogger(name) for name in (None, "rechunker", "rechunker.running")]
        return [
            dict(os.environ),
            get_current_settings(),
            [logger.handlers[:] for logger in loggers],
        ]

    plan(source, tmp_path / "1").execute()  # starts threads of Prefect that run until exit
    before = state()
    threads = threading.active_count()
    plan(source, tmp_path / "2", executor=PrefectExecutor(workers=3)).execute()
    assert state() == before
    assert threading.active_count() <= threads
    assert capsys.readouterr().out == ""


def test_results_are_stored_nowhere(tmp_path: Path) -> None:
    executor = PrefectExecutor()
    made = executor.prepare_plan(specs(4, Nothing()))
    results = {PREFECT_RESULTS_PERSIST_BY_DEFAULT: True, PREFECT_LOCAL_STORAGE_PATH: tmp_path}
    with temporary_settings(results):
        assert executor.execute_plan(made) == executor.execute_plan(made) == Traffic(tasks=4)
        assert not any(tmp_path.rglob("*"))
        made.with_options(persist_result=True)()
    assert len(list(tmp_path.rglob("*"))) == 1  # the result of the flow, as requested


def test_artifacts_that_fail_do_no_harm(
    monkeypatch: pytest.MonkeyPatch, source: zarr.Array[Any], tmp_path: Path
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        asked.append(args)
        raise httpx.ConnectError("no API")

    asked: list[Any] = []
    monkeypatch.setattr(progress, "create_progress_artifact", refuse)
    monkeypatch.setattr(progress, "create_table_artifact", refuse)
    assert plan(source, tmp_path).plan().tasks
    check(source, tmp_path)
    assert len(asked) == 1


def test_progress_is_shown_from_time_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[float, str]] = []
    monkeypatch.setattr(
        progress,
        "update_progress_artifact",
        lambda artifact, percent, description: shown.append((percent, description)),
    )
    executor = PrefectExecutor()
    made = executor.prepare_plan(specs(4, Nothing()))
    executor.execute_plan(made)
    assert shown == [(100.0, "finished: 4 tasks done")]
    shown.clear()
    monkeypatch.setattr(progress, "PAUSE", 0)
    executor.execute_plan(made)
    assert [percent for percent, _ in shown] == [25, 50, 75, 100, 100]
    assert shown[1][1] == "a: do: 2 tasks done"
