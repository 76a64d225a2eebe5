"""What every test of an executor needs: the executor itself, and what it can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from rechunker.plugins import get_executor
from rechunker.types import CopySpec, Executor

__all__ = ["EngineTests", "Patient", "Watched"]


@dataclass(frozen=True)
class Watched:
    """Keyword arguments of `execute`, and how to find out whether the engine got them.

    Parameters
    ----------
    keywords
        The keyword arguments.
    arrived
        Tells, after the plan was executed, whether they took effect.
    """

    keywords: Mapping[str, Any]
    arrived: Callable[[], bool]


@dataclass(frozen=True)
class Patient:
    """An executor that runs a task once more, and then once more, after it has failed.

    Parameters
    ----------
    executor
        The executor.
    keywords
        Keyword arguments of `execute` with which it does so.
    """

    executor: Executor[Any]
    keywords: Mapping[str, Any] = field(default_factory=dict)


class EngineTests:
    """The fixtures of `rechunker.testing.ExecutorTests`, which describes them."""

    executor: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def engine(self) -> Executor[Any]:
        """Return the executor."""
        return get_executor(self.executor)

    @pytest.fixture
    def patient(self) -> Patient | None:
        """Return the executor set up so that it tries a task three times; None if it cannot."""
        return None

    @pytest.fixture
    def watched(self) -> Watched | None:
        """Return keyword arguments of `execute` that the engine takes; None if it takes none."""
        return None

    @pytest.fixture
    def marks(self, tmp_path: Path) -> Path:
        """Return an empty folder in which tasks leave files."""
        folder = tmp_path / "marks"
        folder.mkdir()
        return folder

    def run(self, engine: Executor[Any], specs: Iterable[CopySpec], **kwargs: Any) -> Any:
        """Prepare and execute a plan."""
        return engine.execute_plan(engine.prepare_plan(specs), **{**self.options, **kwargs})
