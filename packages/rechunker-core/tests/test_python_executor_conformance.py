"""The embedded executor passes the suite of all executors."""

from __future__ import annotations

import pytest

from rechunker.executors.python import PythonExecutor
from rechunker.testing import ExecutorTests, Patient, Watched


class TestPythonExecutor(ExecutorTests):
    executor = "python"
    repeats = 1  # it runs one task after another

    @pytest.fixture
    def patient(self) -> Patient:
        return Patient(PythonExecutor(), {"retries": 2})

    @pytest.fixture
    def watched(self) -> Watched:
        seen: list[int] = []
        return Watched({"progress": lambda done, *_: seen.append(done)}, lambda: seen == [1, 2, 3])
