"""Tests of an executor with plans that were made for many workers and cores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import rechunker
from rechunker.testing.engine import EngineTests
from rechunker.testing.recorder import Recorder
from rechunker.types import Executor

__all__ = ["WorkersTests"]


class WorkersTests(EngineTests):
    """Part of `rechunker.testing.ExecutorTests`."""

    def test_the_time_of_a_call_is_known(self, engine: Executor[Any]) -> None:
        assert 0 <= engine.overhead < 60

    @pytest.mark.parametrize("workers", [1, 2, 3, 8, 64, 1000])
    def test_plans_for_any_number_of_workers(
        self, workers: int, engine: Executor[Any], tmp_path: Path
    ) -> None:
        """The engine runs them with as many workers as it has."""
        source = zarr.create_group(tmp_path / "s")
        for name, shape in {"large": (300, 200), "small": (40, 30)}.items():
            values = np.random.default_rng(0).integers(1, 1000, shape, "i4")
            source.create_array(name, data=values, chunks=(5, shape[1]))
        recorder = Recorder(engine)
        recorder.workers, recorder.threads = workers, min(workers, 64)
        planned = rechunker.rechunk(
            source,
            {"large": (300, 4), "small": (40, 4)},
            "50kB",
            tmp_path / "t",
            temp_store=tmp_path / "x",
            executor=recorder,
        )
        assert all(plan.peak_memory <= 50_000 for plan in planned.copy_plan.values())
        self.run(engine, planned.plan)
        target: Any = zarr.open_group(tmp_path / "t", mode="r")
        for name, array in source.arrays():
            assert np.array_equal(target[name][...], array[...]), name
