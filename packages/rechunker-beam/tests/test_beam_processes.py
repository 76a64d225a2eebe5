"""Beam's worker processes on one machine run tasks side by side."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import zarr

from rechunker import rechunk
from rechunker.testing import EndingTests, KilledWorkerTests, Nothing, Recorder, Telling
from rechunker.testing.arrays import ENTANGLED, make
from rechunker.types import CopySpec, Stage
from rechunker_beam import BeamExecutor

REPEATS = 5
PROCESSES = {"direct_running_mode": "multi_processing", "direct_num_workers": 2}


@pytest.fixture(autouse=True)
def workers_can_import_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)


@pytest.fixture
def engine() -> BeamExecutor:
    return BeamExecutor(options=PROCESSES)


def signed(spec: CopySpec, folder: Path) -> CopySpec:
    """Return a spec whose tasks leave files with their process id, in one folder per stage."""
    stages = []
    for number, stage in enumerate(spec.stages):
        place = folder / str(number)
        place.mkdir(exist_ok=True)
        stages.append(replace(stage, work=Telling(stage.work, place)))
    return replace(spec, stages=tuple(stages))


def recorded(source: Any, chunks: Any, max_mem: Any, place: Path) -> list[CopySpec]:
    """Return the specs of a plan."""
    recorder = Recorder(BeamExecutor(options=PROCESSES))
    temp = place / "temp"
    planned: Any = rechunk(
        source, chunks, max_mem, place / "target", temp_store=temp, executor=recorder
    )
    return list(planned.plan)


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    folder = tmp_path / "signs"
    folder.mkdir()
    return folder


def test_no_data_is_lost_where_chunks_overlap(
    engine: BeamExecutor, signs: Path, tmp_path: Path
) -> None:
    """All arrays are one plan, so that the processes are started only once."""
    specs: list[CopySpec] = []
    pairs: list[tuple[zarr.Array[Any], Path]] = []
    for geometry, (shape, chunks, wanted, max_mem) in enumerate(ENTANGLED):
        source = make(tmp_path / f"s{geometry}", shape, chunks)
        for i in range(REPEATS):
            place = tmp_path / f"{geometry} {i}"
            specs += (signed(spec, signs) for spec in recorded(source, wanted, max_mem, place))
            pairs.append((source, place / "target"))
    engine.execute_plan(engine.prepare_plan(specs))
    for source, target in pairs:
        np.testing.assert_array_equal(zarr.open_array(target)[...], source[...])
    processes = {path.name.split()[1] for path in (signs / "1").iterdir()}
    assert len(processes) == 2
    assert str(os.getpid()) not in processes


def test_progress_is_told_at_the_end(engine: BeamExecutor) -> None:
    stage = Stage("a", 6, Nothing(), nbytes=6)
    seen: list[tuple[int, ...]] = []
    engine.execute_plan(
        engine.prepare_plan([CopySpec("a", (stage,))]), progress=lambda *state: seen.append(state)
    )
    assert seen == [(6, 6, 0)]


class TestEnding(EndingTests):
    @pytest.fixture
    def engine(self) -> BeamExecutor:
        return BeamExecutor(options=PROCESSES)


class TestKilledProcesses(KilledWorkerTests):
    executor = "beam"
    options: ClassVar = {"options": PROCESSES}
    survives = False
    error = "killed by the system"
