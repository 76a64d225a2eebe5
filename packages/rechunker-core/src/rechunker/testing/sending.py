"""Tests of plans that are sent to another process as a whole."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import zarr

import rechunker
from rechunker.testing.arrays import make
from rechunker.testing.engine import EngineTests
from rechunker.types import Executor

__all__ = ["SendingTests"]

EXECUTE = """
import pickle, sys
if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        plan, options = pickle.load(file)
    print(plan.execute(**options).shape)
"""


class SendingTests(EngineTests):
    """Part of `rechunker.testing.ExecutorTests`."""

    def test_a_rechunk_can_be_pickled_and_executed_there(
        self, engine: Executor[Any], tmp_path: Path
    ) -> None:
        source = make(tmp_path / "source", (40, 30), (4, 30))
        target, temp = tmp_path / "target", tmp_path / "temp"
        plan = rechunker.rechunk(source, (40, 3), 8000, target, temp_store=temp, executor=engine)
        (tmp_path / "execute.py").write_text(EXECUTE)
        (tmp_path / "plan").write_bytes(pickle.dumps((plan, dict(self.options))))
        command = [sys.executable, str(tmp_path / "execute.py"), str(tmp_path / "plan")]
        # The executor may come from a module of the tests.
        found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=found)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("(40, 30)\n")
        np.testing.assert_array_equal(zarr.open_array(target, mode="r")[...], source[...])
