"""Fixtures for all tests of this package: a source, and an executor on a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from distributed import LocalCluster

from rechunker_beam import BeamExecutor

DASK = "apache_beam.runners.dask.dask_runner.DaskRunner"


def pytest_configure(config: pytest.Config) -> None:
    # Threads of Beam that fail when the pipeline has failed that they serve, or its process.
    threads = "Exception in thread (run_worker|beam_control_read|read_grpc_client_inputs)"
    kind = "pytest.PytestUnhandledThreadExceptionWarning"
    config.addinivalue_line("filterwarnings", f"ignore:{threads}:{kind}")


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Start two processes with one thread each."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def on_dask(cluster: LocalCluster) -> BeamExecutor:
    """Return an executor that runs plans on the cluster with Beam's `DaskRunner`."""
    # Small plans are faster with no more partitions than workers.
    options = {"dask_client_address": cluster.scheduler_address, "dask_npartitions": 2}
    return BeamExecutor(DASK, options, workers=2)


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    """Return an array with one chunk for each row."""
    array = zarr.create_array(tmp_path / "s", shape=(60, 50), chunks=(1, 50), dtype="i4")
    array[...] = np.arange(3000).reshape(60, 50) + 1
    return array
