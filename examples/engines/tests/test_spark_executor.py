"""`SparkExecutor` passes the suites: with the processes of one machine, and on a cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from pyspark import SparkConf, SparkContext

from rechunker.testing import ExecutorTests, KilledWorkerTests, Patient, Watched
from spark_executor import SparkExecutor


@pytest.fixture(scope="module", autouse=True)
def context() -> Iterator[None]:
    """Start Spark with two Python processes, each of whose tasks is tried up to three times."""
    conf = SparkConf().setMaster("local[2,3]").setAppName("test").set("spark.ui.enabled", "false")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        with SparkContext(conf=conf):
            yield


class TestSpark(ExecutorTests):
    @pytest.fixture
    def engine(self) -> SparkExecutor:
        return SparkExecutor()

    @pytest.fixture
    def patient(self) -> Patient:
        return Patient(SparkExecutor(), {"retries": 2})

    @pytest.fixture
    def watched(self) -> Watched:
        """Return keyword arguments of execute() and a check that they reach the executor."""
        seen: list[tuple[int, int, int]] = []
        return Watched({"progress": lambda *figures: seen.append(figures)}, lambda: bool(seen))


class TestKilledWorkers(KilledWorkerTests):
    survives = True
    error = "crashed"

    @pytest.fixture
    def engine(self) -> SparkExecutor:
        return SparkExecutor()
