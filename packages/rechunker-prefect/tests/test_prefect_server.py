"""A server shows the names of runs, their progress, and why they failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import zarr

from rechunker import rechunk
from rechunker.testing import Failing, Flaky
from rechunker.types import CopySpec, Stage, Traffic
from rechunker_prefect import PrefectExecutor

LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Api:
    """The API of a server, polled until it has an answer."""

    address: str

    def find(self, what: str, enough: Callable[[list[Any]], bool], **where: Any) -> list[Any]:
        """Return all objects of a kind once they satisfy a condition."""
        until = time.monotonic() + LIMIT_SECONDS
        while True:
            answer = httpx.post(f"{self.address}/{what}/filter", json=where).raise_for_status()
            found: list[Any] = answer.json()
            if enough(found):
                return found
            assert time.monotonic() < until, f"{what}: {found}"
            time.sleep(0.2)

    def run(self, name: str) -> dict[str, Any]:
        """Return the one flow run with a name, after it has ended."""
        where = {"flow_runs": {"name": {"any_": [name]}}}

        def ended(runs: list[Any]) -> bool:
            return [run["state_type"] in ("COMPLETED", "FAILED") for run in runs] == [True]

        run: dict[str, Any] = self.find("flow_runs", ended, **where)[0]
        return run


def of(run: dict[str, Any]) -> dict[str, Any]:
    return {"flow_runs": {"id": {"any_": [run["id"]]}}}


@pytest.fixture(scope="module")
def api(full: str) -> Api:
    return Api(full)


@pytest.fixture(scope="module")
def copied(api: Api, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the run in which two arrays were rechunked."""
    place = tmp_path_factory.mktemp("copied")
    group = zarr.create_group(place / "s")
    for name in ("air", "wind"):
        array = group.create_array(name, shape=(60, 50), chunks=(1, 50), dtype="i4")
        array[...] = np.arange(3000).reshape(60, 50) + 1
    chunks = {"air": (60, 1), "wind": (60, 1)}
    rechunked = rechunk(
        group, chunks, 2000, place / "t", temp_store=place / "temp", executor="prefect"
    )
    rechunked.execute()
    done: Any = zarr.open_array(place / "t" / "air")[...]
    np.testing.assert_array_equal(done, np.arange(3000).reshape(60, 50) + 1)
    return api.run("rechunk s to t")


def test_a_run_is_named_after_source_and_target(copied: dict[str, Any]) -> None:
    assert copied["state_type"] == "COMPLETED"
    assert copied["parameters"] == {"retries": 0}


def test_task_runs_are_named_after_stages(api: Api, copied: dict[str, Any]) -> None:
    def complete(runs: list[Any]) -> bool:
        states = {run["name"]: run["state_type"] for run in runs}
        return set(states.values()) == {"COMPLETED"} and "finish 0" in states

    names = {run["name"] for run in api.find("task_runs", complete, **of(copied))}
    assert any(name.startswith("air: read 0") for name in names)
    assert any(name.startswith("wind: write 0") for name in names)


def test_the_progress_artifact_ends_at_100_percent(api: Api, copied: dict[str, Any]) -> None:
    found = api.find("artifacts", lambda found: len(found) == 2, **of(copied))
    data = {artifact["key"]: artifact for artifact in found}
    assert data["rechunk-progress"]["type"] == "progress"
    assert data["rechunk-progress"]["data"] == 100
    assert "tasks done" in data["rechunk-progress"]["description"]


def test_a_table_shows_the_traffic_of_stages(api: Api, copied: dict[str, Any]) -> None:
    found = api.find("artifacts", lambda found: len(found) == 2, **of(copied))
    (table,) = (artifact["data"] for artifact in found if artifact["key"] == "rechunk-traffic")
    rows = table if isinstance(table, list) else httpx.Response(200, text=table).json()
    written = {row["stage"]: row["bytes_written"] for row in rows}
    assert written["air: write"] == written["wind: write"] == 12_000


def test_a_failed_run_shows_the_error(api: Api, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    executor = PrefectExecutor()
    failing = Stage("air: read", 9, Failing(tmp_path / "broken", 5))
    made = executor.prepare_plan([CopySpec("air", (failing,))])
    with pytest.raises(ValueError, match="task 5 fails on purpose"):
        executor.execute_plan(made, flow_run_name="will fail")
    run = api.run("will fail")
    assert run["state_type"] == "FAILED"
    assert "task 5 fails on purpose" in run["state"]["message"]
    tasks = api.find("task_runs", lambda runs: any(failed(run) for run in runs), **of(run))
    assert [task["name"] for task in tasks if failed(task)] == ["air: read 5"]


def failed(run: dict[str, Any]) -> bool:
    return bool(run["state_type"] == "FAILED")


def test_retries_are_in_the_logs_of_a_run(api: Api, tmp_path: Path) -> None:
    executor = PrefectExecutor(retries=1, workers=3)
    stages = (Stage("air: read", 6, Flaky(tmp_path, times=1)),)
    made = executor.prepare_plan([CopySpec("air", stages)])
    executor.execute_plan(made, flow_run_name="in the end")
    run = api.run("in the end")

    def warnings(logs: list[Any]) -> list[Any]:
        return [log for log in logs if "retrying" in log["message"]]

    where = {"logs": {"flow_run_id": {"any_": [run["id"]]}}}
    logs = warnings(api.find("logs", lambda logs: len(warnings(logs)) >= 2, **where))
    assert sorted(log["message"][:17] for log in logs) == ["air: read, task 1", "air: read, task 4"]
    assert len({log["task_run_id"] for log in logs} - {None}) == 2


@dataclass(frozen=True)
class Waiting:
    """Work that says when it begins, and waits for a file."""

    folder: Path

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for task in tasks:
            (self.folder / f"begun {task}").touch()
            until = time.monotonic() + LIMIT_SECONDS
            while not (self.folder / "go on").exists():
                assert time.monotonic() < until
                time.sleep(0.05)
            yield Traffic(tasks=1)


def test_a_run_that_is_cancelled_on_the_server_raises(api: Api, tmp_path: Path) -> None:
    """As the button of its user interface does it."""
    source = zarr.create_array(tmp_path / "s", shape=(60, 50), chunks=(1, 50), dtype="i4")
    rechunked = rechunk(source, (60, 1), "1MB", tmp_path / "t", executor="prefect")

    def cancel(flow: Any, flow_run: Any, state: Any) -> None:
        cancelling = {"state": {"type": "CANCELLING", "message": "by hand"}}
        place = f"{api.address}/flow_runs/{flow_run.id}/set_state"
        httpx.post(place, json=cancelling).raise_for_status()

    with pytest.raises(RuntimeError, match=r"ended in state Cancel\w+ \(by hand\); call execute"):
        rechunked.execute(on_running=[cancel])


def test_a_run_that_takes_too_long_raises_and_says_so_on_the_server(
    api: Api, tmp_path: Path
) -> None:
    executor = PrefectExecutor()
    made = executor.prepare_plan([CopySpec("air", (Stage("air: read", 3, Waiting(tmp_path)),))])

    def go_on() -> None:
        time.sleep(3)
        (tmp_path / "go on").touch()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(go_on)
        with pytest.raises(TimeoutError, match="timed out|exceeded"):
            executor.execute_plan(made, flow_run_name="too long", timeout_seconds=1)
    run = api.run("too long")
    assert (run["state_type"], run["state_name"]) == ("FAILED", "TimedOut")
    assert not (tmp_path / "begun 2").exists()
