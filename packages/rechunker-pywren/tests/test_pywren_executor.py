"""The executor for pywren passes the suite, by default and with a local executor of the user."""

from __future__ import annotations

from typing import Any

import pytest

from rechunker.testing import EndingTests, ExecutorTests, Patient
from rechunker.testing.arrays import ArrayTests
from rechunker_pywren import PywrenExecutor


class TestDefault(EndingTests, ArrayTests):
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
