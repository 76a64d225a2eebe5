"""Settings for all checks of Icechunk: executors, and repositories on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import icechunk
import pytest
from distributed import Client, LocalCluster

from rechunker.executors.dask import DaskExecutor
from rechunker.executors.python import PythonExecutor


def pytest_report_header(config: pytest.Config) -> str:
    """Say which version there is."""
    return f"icechunk {icechunk.__version__}"


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
    """Return a function that makes an executor by a name."""

    def make(name: str) -> Any:
        if name == "cluster":
            return DaskExecutor(request.getfixturevalue("client"))
        return PythonExecutor(2) if name == "python" else DaskExecutor(name)

    return make


@pytest.fixture
def repo(tmp_path: Path) -> Any:
    """Return a new repository on disk."""
    return icechunk.Repository.create(icechunk.local_filesystem_storage(str(tmp_path / "repo")))
