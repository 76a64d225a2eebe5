"""No set-up is needed: if no API is configured, Prefect starts a server and stops it again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import zarr

PROGRAM = """
import os

import zarr
from prefect.settings import PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS as LIMIT

from rechunker import rechunk
from rechunker_prefect.tasks import run_job


def see(flow, flow_run, state):
    limits.append(LIMIT.value())


if __name__ == "__main__":
    limits = [LIMIT.value()]
    environment = dict(os.environ)
    source = zarr.open_array("source", mode="r")
    rechunked = rechunk(source, (60, 1), 2000, "target", temp_store="temp", executor="prefect")
    rechunked.execute(on_completion=[see])
    limits.append(LIMIT.value())
    assert limits == [20, 180, 20], limits
    assert os.environ == environment
    assert run_job.retries == 0
"""


def test_a_program_on_its_own(tmp_path: Path) -> None:
    array: zarr.Array[Any] = zarr.create_array(
        tmp_path / "source", shape=(60, 50), chunks=(1, 50), dtype="i4"
    )
    array[...] = np.arange(3000).reshape(60, 50) + 1
    (tmp_path / "program.py").write_text(PROGRAM)
    settings = {k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"}
    # Prefect must not repeat whole task runs, even if this setting makes it repeat others.
    settings["PREFECT_TASKS_DEFAULT_RETRIES"] = "3"
    done = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**settings, "PREFECT_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target")[...], array[...])
