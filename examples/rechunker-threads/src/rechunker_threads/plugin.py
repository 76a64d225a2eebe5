"""Plugin module that offers `ThreadsExecutor` to Rechunker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rechunker.hookspecs import hookimpl
from rechunker.types import Executor
from rechunker_threads.executor import ThreadsExecutor

__all__ = ["rechunker_executors"]


@hookimpl
def rechunker_executors() -> Mapping[str, type[Executor[Any]]]:
    """Return the executor class under the name ``"threads"``."""
    return {"threads": ThreadsExecutor}
