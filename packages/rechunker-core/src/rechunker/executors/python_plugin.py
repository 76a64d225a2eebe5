"""The plugin that offers the "python" executor, with the same hook as all other plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rechunker.executors.python import PythonExecutor
from rechunker.hookspecs import hookimpl
from rechunker.types import Executor

__all__ = ["rechunker_executors"]


@hookimpl
def rechunker_executors() -> Mapping[str, type[Executor[Any]]]:
    """Return the class of the executor ``"python"``."""
    return {"python": PythonExecutor}
