"""`JoblibExecutor` passes the suites, with processes and with threads."""

from __future__ import annotations

import pytest

from joblib_executor import JoblibExecutor
from rechunker.testing import EndingTests, ExecutorTests, KilledWorkerTests, Patient, Watched


# A thread of loky (joblib 1.6) may raise an error when joblib kills its processes with calls in
# flight. It changes nothing: the futures that it is about were given up.
@pytest.mark.filterwarnings("ignore:Exception in thread ExecutorManagerThread")
class TestProcesses(ExecutorTests):
    @pytest.fixture
    def engine(self) -> JoblibExecutor:
        return JoblibExecutor(workers=2)

    @pytest.fixture
    def patient(self) -> Patient:
        return Patient(JoblibExecutor(workers=2), {"retries": 2})

    @pytest.fixture
    def watched(self) -> Watched:
        """Return keyword arguments of execute() and a check that they reach the executor."""
        seen: list[tuple[int, int, int]] = []
        return Watched({"progress": lambda *figures: seen.append(figures)}, lambda: bool(seen))


class TestThreads(EndingTests):
    @pytest.fixture
    def engine(self) -> JoblibExecutor:
        return JoblibExecutor("threading", workers=2)


class TestKilledProcesses(KilledWorkerTests):
    survives = False
    error = "worker process"

    @pytest.fixture
    def engine(self) -> JoblibExecutor:
        return JoblibExecutor(workers=2)
