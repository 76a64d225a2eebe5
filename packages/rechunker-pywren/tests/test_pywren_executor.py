"""The executor for pywren passes the suite, by default and with a local executor of the user."""

from __future__ import annotations

from typing import Any

import pytest

from rechunker.testing import ExecutorTests, Patient
from rechunker_pywren import PywrenExecutor


class PywrenTests(ExecutorTests):
    @pytest.fixture
    def patient(self, engine: PywrenExecutor) -> Patient:
        return Patient(engine, {"retries": 2})


class TestDefault(PywrenTests):
    """A new child process for each plan, which takes longest."""

    @pytest.fixture
    def engine(self) -> PywrenExecutor:
        return PywrenExecutor(workers=2)


class TestUserLocalExecutor(PywrenTests):
    """Two processes for all plans."""

    @pytest.fixture
    def engine(self, functions: Any) -> PywrenExecutor:
        return PywrenExecutor(functions)
