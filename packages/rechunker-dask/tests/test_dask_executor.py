"""`DaskExecutor` passes the suite with threads and with a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dask
import pytest
from distributed import Client

from rechunker.testing import EndingTests, ExecutorTests, Patient, Watched
from rechunker_dask import DaskExecutor


class DaskTests(ExecutorTests):
    executor = "dask"

    @pytest.fixture
    def patient(self, engine: DaskExecutor) -> Patient:
        return Patient(engine, {"retries": 2})

    @pytest.fixture
    def watched(self) -> Watched:
        seen: list[Mapping[Any, Any]] = []

        def scheduler(graph: Any, keys: Any, **kwargs: Any) -> Any:
            seen.append(kwargs)
            return dask.get(graph, keys)

        return Watched(
            {"scheduler": scheduler, "word": 5}, lambda: [k.get("word") for k in seen] == [5]
        )


class TestThreads(DaskTests):
    """The scheduler that is also the default without a client."""

    @pytest.fixture
    def engine(self) -> DaskExecutor:
        return DaskExecutor(scheduler="threads")


class TestCluster(DaskTests):
    @pytest.fixture(autouse=True)
    def on_the_cluster(self, client: Client) -> None:
        """Make the client the default scheduler of Dask."""


class TestProcesses(EndingTests):
    @pytest.fixture
    def engine(self) -> DaskExecutor:
        return DaskExecutor(scheduler="processes", workers=2)
