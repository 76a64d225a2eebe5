"""A plan survives a killed worker; a task that kills every worker is an error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from distributed import Client, LocalCluster

from rechunker.testing import KilledWorkerTests


class TestKilledWorkers(KilledWorkerTests):
    executor = "dask"
    survives = True
    error = "all those workers died"

    @pytest.fixture(autouse=True)
    def workers(self) -> Iterator[None]:
        """Start workers for this test only."""
        sizes = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
        with LocalCluster(**sizes) as cluster, Client(cluster):
            yield
