"""Fixtures of the executor suites: the executor under test and its optional abilities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from rechunker.plugins import get_executor
from rechunker.types import CopySpec, Executor

__all__ = ["LARGE", "EngineTests", "Patient", "Watched", "names"]

# Bytes of a stage so large that each of its tasks is worth a call of its own.
LARGE = 10**12


def names(folder: Path) -> set[str]:
    """Return the names of all files in a folder."""
    return {path.name for path in folder.iterdir()}


@dataclass(frozen=True)
class Watched:
    """Keyword arguments of `execute`, with a function that checks that they reach the engine.

    Parameters
    ----------
    keywords
        The keyword arguments.
    arrived
        Function that returns, after the execution, whether the keyword arguments took effect.
    """

    keywords: Mapping[str, Any]
    arrived: Callable[[], bool]


@dataclass(frozen=True)
class Patient:
    """An executor that retries a failed task twice, so that it makes three attempts.

    Parameters
    ----------
    executor
        The executor.
    keywords
        Keyword arguments of `execute` that set the number of retries, such as ``{"retries": 2}``.
    """

    executor: Executor[Any]
    keywords: Mapping[str, Any] = field(default_factory=dict)


class EngineTests:
    """Fixtures of the suites; `rechunker.testing.ExecutorTests` documents them."""

    executor: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def engine(self) -> Executor[Any]:
        """Return the executor under test: by default a new one with the name `executor`."""
        return get_executor(self.executor)

    @pytest.fixture
    def patient(self) -> Patient | None:
        """Return an executor that attempts each task three times; None if it does not retry."""
        return None

    @pytest.fixture
    def watched(self) -> Watched | None:
        """Return keyword arguments of `execute` with a check; None if it accepts none."""
        return None

    @pytest.fixture
    def marks(self, tmp_path: Path) -> Path:
        """Return an empty folder for the files that tasks leave."""
        folder = tmp_path / "marks"
        folder.mkdir()
        return folder

    def run(self, engine: Executor[Any], specs: Iterable[CopySpec], **kwargs: Any) -> Any:
        """Prepare and execute a plan."""
        return engine.execute_plan(engine.prepare_plan(specs), **{**self.options, **kwargs})
