"""Fixtures of the checks in the folders beside this module: executors by name, a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from distributed import Client, LocalCluster

from rechunker.executors.dask import DaskExecutor
from rechunker.executors.python import PythonExecutor

__all__ = ["client", "engine"]


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    """Start a Dask cluster of two processes with one thread each."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """Return a function that makes an executor.

    By the name "python", "beam", "cluster" for Dask on the cluster, or that of a scheduler of Dask.
    """

    def make(name: str) -> Any:
        if name == "python":
            return PythonExecutor(2)
        if name == "beam":
            # Only some of the environments have it.
            from rechunker.executors.beam import BeamExecutor

            return BeamExecutor()
        return DaskExecutor(request.getfixturevalue("client") if name == "cluster" else name)

    return make
