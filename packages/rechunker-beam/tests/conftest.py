"""What the tests of this package share: a source, and an executor on a dask cluster."""

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


@pytest.fixture(scope="session")
def cluster() -> Iterator[LocalCluster]:
    """Start two processes with one thread each."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster


@pytest.fixture
def on_dask(cluster: LocalCluster) -> BeamExecutor:
    """Return an executor that runs plans on the cluster, by way of Beam's runner for dask."""
    # With no more partitions than workers small plans are done sooner than by default.
    options = {"dask_client_address": cluster.scheduler_address, "dask_npartitions": 2}
    return BeamExecutor(DASK, options, workers=2)


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    """Return an array the chunks of which are its rows."""
    array = zarr.create_array(tmp_path / "s", shape=(60, 50), chunks=(1, 50), dtype="i4")
    array[...] = np.arange(3000).reshape(60, 50) + 1
    return array
