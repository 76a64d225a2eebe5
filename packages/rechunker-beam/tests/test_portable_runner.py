"""Plans on Beam's portable runner of this machine, with a job service and workers of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from rechunker import CopyError, rechunk
from rechunker_beam import BeamExecutor

SERVICE = "apache_beam.runners.portability.local_job_service_main"


@pytest.fixture(scope="module")
def on_portable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BeamExecutor]:
    """Start a job service; its workers are in this process (loopback)."""
    folder = tmp_path_factory.mktemp("service")
    words = ["--port_file", str(folder / "port"), "--staging_dir", str(folder)]
    with (folder / "log").open("w") as log:
        service = subprocess.Popen([sys.executable, "-m", SERVICE, *words], stdout=log, stderr=log)
    try:
        until = time.monotonic() + 120
        while not (folder / "port").exists() or not (folder / "port").read_text():
            assert service.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.1)
        port = (folder / "port").read_text()
        options = {"job_endpoint": f"localhost:{port}", "environment_type": "LOOPBACK"}
        yield BeamExecutor("PortableRunner", options)
    finally:
        service.terminate()
        service.wait()


def test_a_plan_is_executed_and_counted(
    on_portable: BeamExecutor, source: zarr.Array[Any], tmp_path: Path
) -> None:
    places: dict[str, Any] = {"target_store": tmp_path / "target", "temp_store": tmp_path / "temp"}
    rechunked = rechunk(source, (60, 1), 2000, executor=on_portable, **places)
    target = rechunked.execute(verify=True)
    np.testing.assert_array_equal(target[...], source[...])
    planned = rechunked.copy_plan[""].stages
    assert rechunked.traffic is not None
    assert rechunked.traffic.puts == sum(stage.puts for stage in planned)
    assert rechunked.traffic.empty == rechunked.traffic.retries == rechunked.traffic.known == 0


def test_the_error_of_a_task_is_told(
    on_portable: BeamExecutor, source: zarr.Array[Any], tmp_path: Path
) -> None:
    (tmp_path / "s" / "c" / "7" / "0").write_bytes(b"nonsense")
    rechunked = rechunk(source, (60, 50), "1MB", tmp_path / "target", executor=on_portable)
    with pytest.raises((CopyError, RuntimeError), match="copy, task 0|FAILED"):
        rechunked.execute()
    assert not (tmp_path / "target" / "zarr.json").exists()
