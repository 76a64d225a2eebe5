"""Beam's own processes on one machine work on tasks side by side."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from rechunker import rechunk
from rechunker.testing import Failing, Marking, Recorder
from rechunker.testing.arrays import ENTANGLED, make
from rechunker.types import CopySpec, Stage, Traffic
from rechunker_beam import BeamExecutor

REPEATS = 20
PROCESSES = {"direct_running_mode": "multi_processing", "direct_num_workers": 2}


@pytest.fixture(autouse=True)
def tests_are_found_by_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture
def engine() -> BeamExecutor:
    return BeamExecutor(options=PROCESSES)


@dataclass(frozen=True)
class Signed:
    """Take a while, and leave a file with the number of the process, and that of the stage.

    Parameters
    ----------
    work
        The work of a stage.
    file
        The file, but for the number of the process.
    seconds
        How long each task takes.
    """

    work: Callable[[range], Iterable[Traffic]]
    file: Path
    seconds: float

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for traffic in self.work(tasks):
            self.file.with_suffix(f".{os.getpid()}").touch()
            time.sleep(self.seconds)
            yield traffic


def signed(spec: CopySpec, folder: Path, seconds: float = 0) -> CopySpec:
    """Return a spec whose stages are signed."""
    stages = (
        replace(stage, work=Signed(stage.work, folder / str(number), seconds))
        for number, stage in enumerate(spec.stages)
    )
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
    """All are one plan, so that the processes are started once."""
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
    pids = {path.suffix for path in signs.glob("1.*")}
    assert len(pids) == 2
    assert f".{os.getpid()}" not in pids


def test_a_failure_is_told_and_ends_the_plan(engine: BeamExecutor, tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    failing = Stage("fail", 9, Failing(tmp_path / "broken", 5))
    spec = CopySpec("a", (failing, Stage("later", 2, Marking(tmp_path, "later"))))
    with pytest.raises(RuntimeError, match="task 5 fails on purpose"):
        engine.execute_plan(engine.prepare_plan([spec]))
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


def kill_worker(signs: Path) -> None:
    """Kill a process that works on the first stage, when there are two."""
    until = time.monotonic() + 100
    while len(found := list(signs.glob("1.*"))) < 2:
        assert time.monotonic() < until
        time.sleep(0.01)
    os.kill(int(found[0].suffix[1:]), signal.SIGKILL)


# Beam lets the threads fail that look after the process.
@pytest.mark.filterwarnings(
    "ignore:Exception in thread (run_worker|beam_control_read|read_grpc_client_inputs):"
    "pytest.PytestUnhandledThreadExceptionWarning"
)
def test_a_killed_process_is_an_error(
    engine: BeamExecutor, source: zarr.Array[Any], signs: Path, tmp_path: Path
) -> None:
    specs = recorded(source, (60, 1), 2000, tmp_path)
    plan = engine.prepare_plan(signed(spec, signs, 0.2) for spec in specs)
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill_worker, signs)
        with pytest.raises(RuntimeError, match="Channel closed") as caught:
            engine.execute_plan(plan)
        killing.result()
    assert "killed by the system" in caught.value.__notes__[0]
    with pytest.raises(FileNotFoundError):
        zarr.open(tmp_path / "target", mode="r")
    BeamExecutor().execute_plan(engine.prepare_plan(specs))
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target")[...], source[...])
