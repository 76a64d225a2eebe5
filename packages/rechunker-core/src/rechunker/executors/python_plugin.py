"""Offers the embedded executor the way that every plugin does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rechunker.executors.python import PythonExecutor
from rechunker.hookspecs import hookimpl
from rechunker.types import Executor

__all__ = ["rechunker_executors"]


@hookimpl
def rechunker_executors() -> Mapping[str, type[Executor[Any]]]:
    """Offer the executor ``"python"``."""
    return {"python": PythonExecutor}
