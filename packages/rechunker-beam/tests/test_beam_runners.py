"""Runners and options: those that the user gives are used, and nothing else changes."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import zarr
from apache_beam import Pipeline
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.dask.dask_runner import DaskOptions, DaskRunner
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiMetrics
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState
from distributed import Client, LocalCluster, default_client

from rechunker import rechunk
from rechunker.running import available_cores
from rechunker.testing import (
    Crowding,
    EndingTests,
    Failing,
    Flaky,
    Marking,
    Nothing,
    ProgressTests,
)
from rechunker.types import CopySpec, Stage, Traffic
from rechunker_beam import BeamExecutor
from rechunker_beam.dask_runner import spread
from rechunker_beam.settings import make_options

THREADS = {"direct_running_mode": "multi_threading", "direct_num_workers": 2}
BUNDLES = "BundleBasedDirectRunner"


def run(executor: BeamExecutor, *stages: Stage, **keywords: Any) -> Traffic | None:
    return executor.execute_plan(executor.prepare_plan([CopySpec("a", stages)]), **keywords)


def nothing(tasks: int = 5) -> Stage:
    return Stage("nothing", tasks, Nothing())


class Idle(PipelineRunner):  # type: ignore[misc]
    """A runner that records its options and ends in a given state."""

    def __init__(self, state: str = PipelineState.DONE) -> None:
        self.state = state
        self.options: dict[str, Any] = {}

    def run_pipeline(self, pipeline: Any, options: PipelineOptions) -> PipelineResult:
        self.options = options.get_all_options(drop_default=True)
        return Ended(self.state)


class Ended(PipelineResult):  # type: ignore[misc]
    """A result with a state and nothing else."""

    def wait_until_finish(self, duration: int | None = None) -> str:
        return str(self.state)


def crowd(executor: BeamExecutor, folder: Path) -> int:
    run(executor, Stage("crowd", 8, Crowding(folder, 0.1), nbytes=10**12))
    return Crowding.most(folder)


def test_one_task_at_a_time_with_all_processors_is_the_default(tmp_path: Path) -> None:
    executor = BeamExecutor()
    assert (executor.workers, executor.threads) == (1, available_cores())
    assert crowd(executor, tmp_path) == 1


@pytest.mark.parametrize("mode", ["multi_threading", "in_memory"])
def test_plans_are_made_for_the_workers_of_a_local_runner(mode: str, tmp_path: Path) -> None:
    executor = BeamExecutor(options={"direct_running_mode": mode, "direct_num_workers": 2})
    assert (executor.workers, executor.threads) == (2, max(1, available_cores() // 2))
    assert crowd(executor, tmp_path) == 2


def test_zero_workers_means_all_processors() -> None:
    assert BeamExecutor(options=["--direct_num_workers=0"]).workers == os.cpu_count()


@pytest.mark.parametrize(
    ("options", "workers"), [({}, 1), ({"num_workers": 3}, 3), ({"max_num_workers": 7}, 7)]
)
def test_plans_are_made_for_the_workers_of_a_cluster(options: Any, workers: int) -> None:
    executor = BeamExecutor("DataflowRunner", options)
    assert (executor.workers, executor.threads) == (workers, 1)


def test_given_workers_and_threads_are_used() -> None:
    executor = BeamExecutor(options=THREADS, workers=7, threads=3)
    assert (executor.workers, executor.threads) == (7, 3)


@pytest.mark.parametrize(
    "options",
    [
        {"job_name": "air"},
        ["--job_name=air"],
        ("--job_name", "air"),
        PipelineOptions(job_name="air", flags=[]),
    ],
)
def test_options_of_all_types_reach_the_runner(options: Any) -> None:
    made, executed = Idle(), Idle()
    run(BeamExecutor(made, options), nothing())
    run(BeamExecutor(made), nothing(), runner=executed, options=options)
    assert made.options["job_name"] == executed.options["job_name"] == "air"


def test_options_are_not_changed(on_dask: BeamExecutor) -> None:
    options = make_options(on_dask.options)
    before = options.get_all_options()
    run(on_dask, nothing(), options=options)
    assert options.get_all_options() == before


def test_the_runner_may_be_an_option() -> None:
    with pytest.raises(ValueError, match="Unexpected pipeline runner: nowhere"):
        run(BeamExecutor(), nothing(), options={"runner": "nowhere"})
    executor = BeamExecutor(options=["--runner=nowhere"])
    assert run(executor, nothing(), runner="FnApiRunner") == Traffic(tasks=5)


def test_command_line_arguments_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["program", "--runner=nowhere", "--direct_num_workers=3"])
    executor = BeamExecutor()
    assert executor.workers == 1
    assert run(executor, nothing()) == Traffic(tasks=5)


def test_nothing_is_looked_up_on_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: asked.append(args))
    run(BeamExecutor(), nothing())
    assert not asked


@pytest.mark.parametrize("options", [7, "--job_name=air", {1: 2}, [1]])
def test_other_options_are_an_error(options: Any) -> None:
    with pytest.raises(TypeError, match="PipelineOptions, a mapping"):
        BeamExecutor(options=options)
    with pytest.raises(TypeError, match="PipelineOptions, a mapping"):
        run(BeamExecutor(), nothing(), options=options)


def test_other_runners_are_an_error() -> None:
    with pytest.raises(TypeError, match="'FnApiRunner' or an instance of a PipelineRunner"):
        BeamExecutor(FnApiRunner)
    with pytest.raises(TypeError, match="'FnApiRunner' or an instance of a PipelineRunner"):
        run(BeamExecutor(), nothing(), runner=5)


def test_other_keywords_are_an_error() -> None:
    with pytest.raises(
        TypeError, match=r"no speed; execute\(\) takes runner, options, progress, retries"
    ):
        run(BeamExecutor(), nothing(), speed=2)


@pytest.mark.parametrize("bad", [{"retries": -1}, {"workers": 0}, {"threads": 0}])
def test_numbers_are_checked(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        BeamExecutor(**bad)


@pytest.mark.parametrize("state", [PipelineState.CANCELLED, PipelineState.UNKNOWN])
def test_a_pipeline_that_is_not_done_is_an_error(state: str) -> None:
    with pytest.raises(RuntimeError, match=f"ended in state {state}.*execute"):
        run(BeamExecutor(Idle(state)), nothing())


def test_no_traffic_from_a_runner_without_metrics() -> None:
    assert run(BeamExecutor(Idle()), nothing()) is None


def test_no_traffic_from_a_runner_without_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ended, "metrics", lambda result: FnApiMetrics({}))
    assert run(BeamExecutor(Idle()), nothing()) is None


@pytest.mark.parametrize("runner", [None, BUNDLES])
@pytest.mark.parametrize("options", [None, THREADS])
def test_a_failure_on_local_runners(runner: Any, options: Any, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    failing = Stage("fail", 9, Failing(tmp_path / "broken", 5))
    executor = BeamExecutor(runner, options)
    with pytest.raises(Exception, match=r"task 5 fails on purpose.*Rechunk/round 1/fail"):
        run(executor, failing, Stage("later", 2, Marking(tmp_path, "later")))
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


class TestEndingOfThreads(EndingTests, ProgressTests):
    @pytest.fixture
    def engine(self) -> BeamExecutor:
        return BeamExecutor(options=THREADS)


class TestEndingInMemory(EndingTests):
    @pytest.fixture
    def engine(self) -> BeamExecutor:
        return BeamExecutor(options={"direct_num_workers": 2})


def test_rounds_are_kept_apart_by_threads(tmp_path: Path) -> None:
    names = [frozenset(f"{round} {task}" for task in range(20)) for round in range(3)]
    before = [frozenset(), *names]
    stages = (Stage(str(i), 20, Marking(tmp_path, str(i), before[i], 19)) for i in range(3))
    assert run(BeamExecutor(options=THREADS), *stages) == Traffic(tasks=60)


def test_retries_of_the_executor(tmp_path: Path) -> None:
    stage = Stage("flaky", 6, Flaky(tmp_path, times=2))
    assert run(BeamExecutor(retries=2), stage) == Traffic(tasks=6)


def test_retries_of_execute_override_those_of_the_executor(tmp_path: Path) -> None:
    stage = Stage("flaky", 6, Flaky(tmp_path, times=2))
    with pytest.raises(OSError, match="fails on attempt 1"):
        run(BeamExecutor(retries=2), stage, retries=0)


def test_bundles_run_again_are_counted_once(tmp_path: Path) -> None:
    stage = Stage("flaky", 6, Flaky(tmp_path, times=1))
    assert run(BeamExecutor(BUNDLES), stage) == Traffic(tasks=6)
    assert len(list(tmp_path.iterdir())) > 6


def test_no_client_of_dask_is_left(on_dask: BeamExecutor, tmp_path: Path) -> None:
    run(on_dask, nothing())
    (tmp_path / "broken").touch()
    with pytest.raises(ValueError, match="on purpose"):
        run(on_dask, Stage("fail", 9, Failing(tmp_path / "broken", 5)))
    with pytest.raises(ValueError, match="No clients found"):
        default_client()


def test_the_client_of_the_user_stays(on_dask: BeamExecutor, cluster: LocalCluster) -> None:
    with Client(cluster) as client:
        run(on_dask, nothing())
        assert default_client() is client


def test_tasks_run_side_by_side_on_dask(cluster: LocalCluster, tmp_path: Path) -> None:
    address = {"dask_client_address": cluster.scheduler_address}
    assert crowd(BeamExecutor(DaskRunner(), address, workers=2), tmp_path) == 2


@pytest.mark.parametrize(
    ("options", "partitions"),
    [({}, 8), ({"dask_npartitions": 3}, 3), ({"dask_partition_size": 4}, None)],
)
def test_partitions_on_dask(options: Any, partitions: int | None) -> None:
    pipeline = Pipeline(DaskRunner(), make_options(options))
    spread(pipeline, workers=2)
    assert pipeline.options.view_as(DaskOptions).npartitions == partitions


def test_nothing_is_left_in_this_process(tmp_path: Path) -> None:
    run(BeamExecutor(), nothing())
    before = set(os.environ.items()), set(threading.enumerate()), list(logging.root.handlers)
    run(BeamExecutor(), nothing())
    assert (set(os.environ.items()), set(threading.enumerate())) == before[:2]
    assert logging.root.handlers == before[2]


def test_stores_in_memory_are_refused(source: zarr.Array[Any]) -> None:
    with pytest.raises(ValueError, match="in the memory of this process"):
        rechunk(source, (60, 1), "1MB", {}, executor="beam")
