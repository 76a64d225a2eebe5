"""A plan survives a killed worker; a task that kills every worker is an error."""

from __future__ import annotations

from collections.abc import Iterator

import dask
import pytest
from distributed import Client, LocalCluster

from rechunker.testing import KilledWorkerTests

# A cluster of this machine starts no worker again that is away 15 s after one of its processes
# died, be it that the next one has just died too. On a busy machine all workers are soon gone.
# (https://github.com/dask/distributed/blob/2026.8.0/distributed/deploy/spec.py)
PATIENT = {"distributed.deploy.lost-worker-timeout": "1h"}


class TestKilledWorkers(KilledWorkerTests):
    executor = "dask"
    survives = True
    error = "all those workers died"

    @pytest.fixture(autouse=True)
    def workers(self) -> Iterator[None]:
        """Start workers for this test only."""
        sizes = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
        with dask.config.set(PATIENT), LocalCluster(**sizes) as cluster, Client(cluster):
            yield
