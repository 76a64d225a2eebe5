"""Tests of plans that are sent to another process as a whole."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

import rechunker
from rechunker.testing.arrays import make
from rechunker.testing.engine import EngineTests
from rechunker.types import Executor

__all__ = ["SendingTests"]


class SendingTests(EngineTests):
    """Part of `rechunker.testing.ExecutorTests`."""

    def test_a_rechunk_can_be_pickled_and_executed_there(
        self, engine: Executor[Any], tmp_path: Path
    ) -> None:
        source = make(tmp_path / "source", (40, 30), (4, 30))
        places: dict[str, Any] = {
            "target_store": tmp_path / "target",
            "temp_store": tmp_path / "temp",
        }
        plan = rechunker.rechunk(source, (40, 3), 8000, executor=engine, **places)
        sent = pickle.loads(pickle.dumps(plan))
        np.testing.assert_array_equal(sent.execute(**self.options)[...], source[...])
