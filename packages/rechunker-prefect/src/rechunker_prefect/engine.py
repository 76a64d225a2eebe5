"""Calls into Prefect's task runners, flow options and settings, and its one private name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.settings import (
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
    temporary_settings,
)
from prefect.task_runners import TaskRunner

from rechunker.types import Traffic

__all__ = ["completed", "flow_options", "limit_of", "patient_start"]

# Time limit for the start of a temporary server. Prefect's default is 20 seconds, but a start takes
# ten seconds to half a minute.
START_SECONDS = 180


def limit_of(task_runner: TaskRunner[Any]) -> int | None:
    """Return the maximum number of task runs that a task runner has at a time.

    Parameters
    ----------
    task_runner
        Any task runner of Prefect.

    Returns
    -------
    int or None
        None if the task runner has no limit or does not tell it.
    """
    # A private attribute of ThreadPoolTaskRunner and ProcessPoolTaskRunner, looked up in Prefect
    # 3.8 (and unchanged in 3.9.1).
    limit = getattr(task_runner, "_max_workers", None)
    if isinstance(limit, int) and limit < sys.maxsize:
        return limit
    settings = getattr(task_runner, "cluster_kwargs", None)
    return None if settings is None else _limit_of_cluster(task_runner, settings)


def _limit_of_cluster(task_runner: Any, settings: Mapping[str, Any]) -> int | None:
    """Return the threads of the cluster that a `DaskTaskRunner` starts; None if it has no number.

    If the settings have no number of threads, each worker counts as one.
    """
    most = (task_runner.adapt_kwargs or {}).get("maximum")
    workers = most if isinstance(most, int) else settings.get("n_workers")
    threads = settings.get("threads_per_worker") or 1
    return workers * threads if isinstance(workers, int) and workers > 0 else None


def completed(state: State[Traffic]) -> Traffic:
    """Return the result of a flow run.

    Parameters
    ----------
    state
        State that the run has ended in.

    Raises
    ------
    RuntimeError
        If it was cancelled, or is not completed for another reason.
    Exception
        The error with which it has failed.
    """
    if state.is_failed() or state.is_crashed():
        _result(state)  # raises the error
    if not state.is_completed():
        raise RuntimeError(
            f"the flow run must end in state Completed, but ended in state {state.name}"
            f"{f' ({state.message})' if state.message else ''}; call execute() again"
        )
    traffic: Traffic = _result(state)
    return traffic


def _result(state: State[Any]) -> Any:
    """Return the result of a run, or raise its error, also where an event loop runs."""
    # In a thread with a loop, Prefect returns a coroutine.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(state.result).result()


def flow_options() -> frozenset[str]:
    """Return the names of the options that `prefect.Flow.with_options` takes."""
    return frozenset(inspect.signature(Flow.with_options).parameters) - {"self"}


@contextmanager
def patient_start() -> Iterator[None]:
    """Give a temporary server that Prefect starts three minutes to do so.

    A time limit that the user has configured is kept.
    """
    if "startup_timeout_seconds" in get_current_settings().server.ephemeral.model_fields_set:
        yield
    else:
        with temporary_settings({PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: START_SECONDS}):
            yield
