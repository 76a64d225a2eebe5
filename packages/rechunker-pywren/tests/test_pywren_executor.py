"""The executor for pywren passes the suite, by default and with a local executor of the user."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from rechunker import rechunk
from rechunker.testing import EndingTests, ExecutorTests, Patient
from rechunker.testing.arrays import ArrayTests, make
from rechunker.testing.sending import SendingTests
from rechunker.types import Executor
from rechunker_pywren import PywrenExecutor


class TestDefault(EndingTests, ArrayTests, SendingTests):
    """A new child process for each plan, which takes long to start."""

    @pytest.fixture
    def engine(self) -> PywrenExecutor:
        return PywrenExecutor(workers=2)


class TestUserLocalExecutor(ExecutorTests):
    """Two processes for all plans; the child process of the default uses the same code."""

    @pytest.fixture
    def engine(self, functions: Any) -> PywrenExecutor:
        return PywrenExecutor(functions)

    @pytest.fixture
    def patient(self, engine: PywrenExecutor) -> Patient:
        return Patient(engine, {"retries": 2})

    def test_a_rechunk_can_be_pickled_and_executed_there(
        self, engine: Executor[Any], tmp_path: Path
    ) -> None:
        """Processes that were started here cannot be used elsewhere."""
        source = make(tmp_path / "source", (40, 30), (4, 30))
        plan = rechunk(source, (40, 3), "1MB", tmp_path / "target", executor=engine)
        with pytest.raises(TypeError, match="its function executor belongs to this process"):
            pickle.dumps(plan)
