"""Function executors of the user other than pywren's local one: only public methods are used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import zarr

from rechunker import rechunk
from rechunker.testing import Failing, Flaky, Lasting, Nothing
from rechunker.testing.ending import check_that_nothing_runs
from rechunker.types import CopySpec, Stage, Traffic
from rechunker_pywren import LostWorkerError, PywrenExecutor
from rechunker_pywren.user_executor import UserExecutorEngine

CONFIG = {
    # Do not start a process that cleans up some time after the tests.
    "lithops": {"backend": "localhost", "storage": "localhost", "data_cleaner": False},
    # Version 2 starts Python for each call.
    "localhost": {"version": 1, "runtime": sys.executable, "worker_processes": 2},
}


class Loop:
    """A function executor that runs calls one after another, in `get_result`."""

    def __init__(self, config: Any = None, loses: int = 0) -> None:
        self.config = config or {}
        self.loses = loses
        self.maps: list[int] = []

    def map(
        self, function: Callable[..., Any], data: list[Any], include_modules: None
    ) -> list[Callable[[], Any]]:
        self.maps.append(len(data))
        return [partial(function, *arguments) for arguments in data]

    def get_result(self, futures: Sequence[Callable[[], Any]]) -> list[Any]:
        return [future() for future in futures[self.loses :]]


def specs_of(work: Any, tasks: int = 4) -> list[CopySpec]:
    return [CopySpec("a", (Stage("a: read", tasks, work),))]


def execute(functions: Any, work: Any, tasks: int = 4, **kwargs: Any) -> Any:
    executor = PywrenExecutor(functions, **kwargs)
    return executor.execute_plan(executor.prepare_plan(specs_of(work, tasks)))


def test_map_and_get_result_are_enough() -> None:
    assert execute(Loop(), Nothing(), tasks=100) == Traffic(tasks=100)


def test_each_worker_gets_one_call() -> None:
    functions = Loop({"pywren": {"workers": 64}})
    execute(functions, Nothing(), tasks=1000)
    assert functions.maps == [64]


def test_long_stages_have_more_calls() -> None:
    plan = PywrenExecutor(Loop()).prepare_plan(
        [CopySpec("a", (Stage("a", 10**6, Nothing(), nbytes=10**14),))]
    )
    assert len(plan.rounds[0][0].ranges) == 2000


def test_missing_results_are_an_error() -> None:
    with pytest.raises(LostWorkerError, match="must return 4 results, got 3"):
        execute(Loop(loses=1), Nothing())


@pytest.mark.parametrize(
    ("config", "workers"),
    [
        ({"pywren": {"workers": 1200}}, 1200),
        ({"lithops": {"backend": "aws"}, "aws": {"max_workers": 9, "worker_processes": 2}}, 18),
        ({"lithops": {"backend": "vm"}, "vm": {"max_workers": 1, "worker_processes": "AUTO"}}, 5),
        ({"pywren": {"workers": None}}, 5),
        ({}, 5),
    ],
)
def test_workers_are_taken_from_the_configuration(
    config: Any, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rechunker_pywren.executor.available_cores", lambda: 5)
    assert PywrenExecutor(Loop(config)).workers == workers
    assert PywrenExecutor(Loop(config), workers=7).workers == 7


def test_objects_without_a_configuration() -> None:
    methods = SimpleNamespace(map=map, get_result=list)
    assert PywrenExecutor(methods).workers >= 1


def test_pywren_through_its_public_methods(own_functions: Any, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    hook = sys.excepthook
    executor = PywrenExecutor(workers=1)
    # One map only: a second map on the same executor may hang, so the package avoids this way.
    plan = executor.prepare_plan(specs_of(Failing(tmp_path / "broken", 1), tasks=2))
    engine = UserExecutorEngine(own_functions)
    calls = [call for batches in plan.rounds[0] for call in batches.calls(0)]
    with pytest.raises(ValueError, match="task 1 fails on purpose"), engine.start(0) as run:
        list(run(calls))
    assert sys.excepthook is hook


@pytest.fixture(scope="module")
def lithops_functions(places: Path) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        # The child processes of lithops read these variables too.
        for name in ("HOME", "TMPDIR"):
            patch.setenv(name, str(places))
        patch.setattr("tempfile.tempdir", None)
        lithops = importlib.import_module("lithops")
        with lithops.LocalhostExecutor(config=CONFIG, log_level=None) as functions:
            yield functions


class TestLithops:
    @pytest.fixture
    def functions(self, lithops_functions: Any) -> Any:
        return lithops_functions

    def test_an_array(self, functions: Any, tmp_path: Path) -> None:
        source = zarr.create_array(tmp_path / "s", shape=(40, 40), chunks=(10, 40), dtype="i4")
        source[...] = np.arange(1600).reshape(40, 40) + 1
        rechunked = rechunk(
            source,
            (40, 10),
            "4kB",
            tmp_path / "target",
            temp_store=tmp_path / "temp",
            executor=PywrenExecutor(functions),
        )
        target: Any = rechunked.execute()
        np.testing.assert_array_equal(target[...], source[...])
        assert rechunked.copy_plan[""].hops == 1

    def test_nothing_runs_after_a_failure(self, functions: Any, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="task 1 fails on purpose"):
            execute(functions, Lasting(tmp_path, 0.5, failing=1, patience=5))
        check_that_nothing_runs(tmp_path)

    def test_retries(self, functions: Any, tmp_path: Path) -> None:
        assert execute(functions, Flaky(tmp_path, times=2), retries=2) == Traffic(tasks=4)

    def test_workers(self, functions: Any) -> None:
        assert PywrenExecutor(functions).workers == 2
