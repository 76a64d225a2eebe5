"""`RayExecutor` passes the suites on a cluster of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import ray

from ray_executor import RayExecutor
from rechunker.testing import ExecutorTests, KilledWorkerTests, Patient, Watched


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Start a cluster with two workers."""
    with ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False):
        yield


class TestCluster(ExecutorTests):
    @pytest.fixture
    def engine(self) -> RayExecutor:
        return RayExecutor()

    @pytest.fixture
    def patient(self) -> Patient:
        return Patient(RayExecutor(), {"retries": 2})

    @pytest.fixture
    def watched(self) -> Watched:
        """Return keyword arguments of execute() and a check that they reach the executor."""
        seen: list[tuple[int, int, int]] = []
        return Watched({"progress": lambda *figures: seen.append(figures)}, lambda: bool(seen))


class TestKilledWorkers(KilledWorkerTests):
    survives = True
    error = "died"

    @pytest.fixture
    def engine(self) -> RayExecutor:
        return RayExecutor(max_retries=2)
