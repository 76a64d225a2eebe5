"""Arguments of the executor, their errors, and the calls into Prefect of `engine`."""

from __future__ import annotations

from typing import Any

import prefect
import pytest
from prefect.settings import (
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    PREFECT_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS,
    temporary_settings,
)
from prefect.states import Cancelled, Cancelling, Completed, Failed
from prefect.task_runners import PrefectTaskRunner, ProcessPoolTaskRunner, ThreadPoolTaskRunner
from prefect_dask.task_runners import DaskTaskRunner

from rechunker.plugins import get_executor
from rechunker.running import available_cores
from rechunker.types import Traffic
from rechunker_prefect import PrefectExecutor
from rechunker_prefect.engine import completed, flow_options, limit_of, patient_start

LIMIT = PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS


def test_the_documented_import_path_works() -> None:
    from rechunker.executors.prefect import PrefectExecutor as Documented

    assert Documented is PrefectExecutor is type(get_executor("prefect"))


def test_one_task_has_all_of_the_memory_and_all_of_the_cores() -> None:
    executor = PrefectExecutor()
    assert (executor.workers, executor.threads) == (1, available_cores())
    assert limit_of(executor.task_runner) == 1


def test_workers_share_the_cores() -> None:
    assert PrefectExecutor(workers=10_000).threads == 1
    assert limit_of(PrefectExecutor(workers=10_000).task_runner) == 10_000


@pytest.mark.parametrize("pool", [ThreadPoolTaskRunner, ProcessPoolTaskRunner])
def test_workers_are_taken_from_the_pool(pool: Any) -> None:
    assert PrefectExecutor(pool(max_workers=3)).workers == 3
    assert PrefectExecutor(pool(max_workers=3), workers=2).workers == 2


@pytest.mark.parametrize("pool", [ThreadPoolTaskRunner, ProcessPoolTaskRunner])
def test_the_private_limit_of_pools_exists(pool: Any) -> None:
    found = limit_of(pool(max_workers=3))
    assert found == 3, f"{pool.__name__} of prefect {prefect.__version__} has no _max_workers"


@pytest.mark.parametrize("pool", [ThreadPoolTaskRunner, ThreadPoolTaskRunner()])
def test_one_task_runs_in_a_pool_without_a_limit(pool: Any) -> None:
    assert PrefectExecutor(pool).workers == 1


def test_the_limit_in_the_settings_of_prefect_counts() -> None:
    with temporary_settings({PREFECT_TASKS_RUNNER_THREAD_POOL_MAX_WORKERS: 5}):
        assert PrefectExecutor(ThreadPoolTaskRunner).workers == 5


def test_other_task_runners_need_a_number_of_workers() -> None:
    with pytest.raises(ValueError, match=r"PrefectExecutor\(DaskTaskRunner\(...\), workers=8\)"):
        PrefectExecutor(DaskTaskRunner())
    assert PrefectExecutor(DaskTaskRunner(), workers=8).workers == 8
    settings = {"n_workers": 3, "threads_per_worker": 2}
    assert PrefectExecutor(DaskTaskRunner(cluster_kwargs=settings)).workers == 6
    growing: Any = DaskTaskRunner(cluster_kwargs=settings, adapt_kwargs={"maximum": 10})
    assert PrefectExecutor(growing).workers == 20


def test_memory_is_shared_by_threads_alone() -> None:
    assert PrefectExecutor(ThreadPoolTaskRunner(max_workers=2)).shares_memory
    assert not PrefectExecutor(ProcessPoolTaskRunner()).shares_memory
    assert not PrefectExecutor(DaskTaskRunner(), workers=8).shares_memory


@pytest.mark.parametrize("bad", [{"retries": -1}, {"workers": 0}, {"threads": 0}])
def test_numbers_are_checked(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        PrefectExecutor(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", ["threads", 4, dict])
def test_other_objects_than_task_runners_are_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match="must be a task runner of Prefect"):
        PrefectExecutor(bad)


def test_the_task_runner_of_served_tasks_is_refused() -> None:
    with pytest.raises(TypeError, match="no process serves the tasks of a plan"):
        PrefectExecutor(PrefectTaskRunner, workers=2)


def test_unknown_keywords_are_an_error_that_lists_the_known_ones() -> None:
    executor = PrefectExecutor()
    with pytest.raises(TypeError, match=r"no speed; execute\(\) takes .*timeout_seconds.*progress"):
        executor.execute_plan(executor.prepare_plan([]), speed=3)


def test_execute_takes_no_task_runner() -> None:
    executor = PrefectExecutor()
    with pytest.raises(TypeError, match=r"executor=PrefectExecutor\(task_runner\)"):
        executor.execute_plan(executor.prepare_plan([]), task_runner=ThreadPoolTaskRunner())


def test_retries_are_checked_before_anything_runs() -> None:
    executor = PrefectExecutor()
    with pytest.raises(ValueError, match="retries must be 0 or more, got -1"):
        executor.execute_plan(executor.prepare_plan([]), retries=-1)


def test_options_are_those_of_flows() -> None:
    assert flow_options() >= {"flow_run_name", "timeout_seconds", "on_failure", "task_runner"}


def test_a_server_has_time_to_start() -> None:
    before = LIMIT.value()
    with patient_start():
        assert LIMIT.value() == 180
    assert LIMIT.value() == before == 20


def test_a_time_limit_of_the_user_is_kept() -> None:
    with temporary_settings({LIMIT: 30}), patient_start():
        assert LIMIT.value() == 30


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (Cancelled(message="by hand"), RuntimeError, r"state Cancelled \(by hand\); call execute"),
        (Cancelling(), RuntimeError, "ended in state Cancelling; call execute"),
        (Failed(data=TimeoutError("too long"), name="TimedOut"), TimeoutError, "too long"),
    ],
)
def test_a_flow_run_that_is_not_completed_is_an_error(
    state: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        completed(state)
    assert completed(Completed(data=Traffic(tasks=3))).tasks == 3
