"""The internal and private names of pywren that the package uses exist in the installed release."""

from __future__ import annotations

import pickle
import sys
import time
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from rechunker.testing import Nothing
from rechunker.types import Stage, Traffic
from rechunker_pywren.calls import Call
from rechunker_pywren.local_calls import LocalCalls, is_local

LOOKED_UP_IN = "1.7.3"

OF_AN_EXECUTOR = [
    "config",
    "executor_id",
    "futures",
    "internal_storage.bucket",
    "internal_storage.get_call_status",
    "invoker._invoke",
    "invoker.compute_handlers",
    "invoker.job_monitor.start_job_monitoring",
    "invoker.pending_calls_q.put",
    "invoker.running_flag.value",
    "invoker.select_runtime",
    "invoker.token_bucket_q.get_nowait",
    "invoker.workers",
    "storage.delete_objects",
    "storage.list_keys",
]
OF_A_BACKEND = ["close", "queue.get", "queue.put", "workers"]
OF_A_FUTURE = ["_exception", "call_id", "error", "executor_id", "job_id", "result", "status"]


@pytest.fixture
def futures(functions: Any) -> list[Any]:
    stage = pickle.dumps(Stage("a", 2, Nothing()))
    local = LocalCalls(functions, [Call("a", stage, range(2), 0)])
    assert list(local.outcomes(time.sleep)) == [(0, Traffic(tasks=2))]
    local.withdraw()
    return local._futures


def test_names_were_looked_up_in_this_release(pywren: Any) -> None:
    assert pywren.__version__ == LOOKED_UP_IN, (
        "go through all that local_calls.py says of pywren again"
    )


@pytest.mark.parametrize("name", OF_AN_EXECUTOR)
def test_names_of_an_executor(functions: Any, name: str) -> None:
    attrgetter(name)(functions)


@pytest.mark.parametrize("name", OF_A_BACKEND)
def test_names_of_a_backend(functions: Any, name: str) -> None:
    attrgetter(name)(functions.invoker.compute_handlers[0].compute_handler)


@pytest.mark.parametrize("name", OF_A_FUTURE)
def test_names_of_a_future(futures: list[Any], name: str) -> None:
    attrgetter(name)(futures[0])


def test_paths_of_files(pywren: Any, places: Path) -> None:
    config = sys.modules["pywren_ibm_cloud.config"]
    found = {"storage": config.STORAGE_FOLDER, "jobs": config.JOBS_PREFIX}
    assert found == {"storage": str(places / "pywren-data"), "jobs": "pywren.jobs"}


def test_local_executors_are_recognized(functions: Any) -> None:
    assert is_local(functions)
    assert not is_local(object())
