"""Dask arrays that are persisted on a cluster: their blocks are futures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import pytest
from distributed import Client

from rechunker import rechunk
from rechunker.executors.python import PythonExecutor


class OnTheCluster(PythonExecutor):
    takes_futures = True


@pytest.fixture
def persisted() -> Any:
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None):
        yield (da.ones((6, 5), chunks=(2, 3)) + 1).persist()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_futures_are_refused_but_by_executors_that_take_them(
    persisted: Any, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="persist"):
        rechunk(persisted, (6, 1), "1MB", tmp_path / "target", executor="python")
    plan = rechunk(persisted, (6, 1), "1MB", tmp_path / "target", executor=OnTheCluster()).plan
    assert plan is not None
