"""What has to be known of Prefect: its task runners, its options and its settings."""

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

# Seconds that a server may take to start where none is configured; Prefect gives it 20.
START_SECONDS = 180


def limit_of(task_runner: TaskRunner[Any]) -> int | None:
    """Return how many task runs a task runner has at a time; None if it does not say so.

    The name is a private one of the thread and process pools of Prefect 3.8.
    """
    limit = getattr(task_runner, "_max_workers", None)
    return limit if isinstance(limit, int) and limit < sys.maxsize else None


def flow_options() -> frozenset[str]:
    """Return the names of what flows may be given by their `with_options`."""
    return frozenset(inspect.signature(Flow.with_options).parameters) - {"self"}


@contextmanager
def patient_start() -> Iterator[None]:
    """Give a server that Prefect starts by itself more time to do so, unless the user chose it."""
    if "startup_timeout_seconds" in get_current_settings().server.ephemeral.model_fields_set:
        yield
    else:
        with temporary_settings({PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: START_SECONDS}):
            yield
