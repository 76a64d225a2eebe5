"""Calls into Prefect's task runners, flow options and settings, and its one private name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect import Flow
from prefect.settings import (
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
    temporary_settings,
)
from prefect.task_runners import TaskRunner

__all__ = ["flow_options", "limit_of", "patient_start"]

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
    return limit if isinstance(limit, int) and limit < sys.maxsize else None


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
