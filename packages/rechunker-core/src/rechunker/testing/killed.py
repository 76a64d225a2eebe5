"""`KilledWorkerTests`: the suite for engines whose worker processes may die during a task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import zarr

import rechunker
from rechunker.testing.arrays import make
from rechunker.testing.engine import EngineTests
from rechunker.testing.recorder import Recorder
from rechunker.testing.work import Killing
from rechunker.types import CopySpec, Executor

__all__ = ["KilledWorkerTests"]

# Number of the task whose process is killed: neither the first nor the last of its stage.
VICTIM = 7


def killing(specs: Iterable[CopySpec], stage: int, file: Path, *, once: bool) -> list[CopySpec]:
    """Return copy specs in which one task of a stage kills its process as long as `file` exists."""
    file.touch()
    specs = list(specs)
    changed = []
    for spec in specs:
        stages = list(spec.stages)
        if stages[stage].tasks > VICTIM:
            work = Killing(stages[stage].work, VICTIM, file, once)
            stages[stage] = replace(stages[stage], work=work)
        changed.append(replace(spec, stages=tuple(stages)))
    assert changed != specs
    return changed


class KilledWorkerTests(EngineTests):
    """Test suite for executors whose tasks run in other processes: subclass it and set attributes.

    A task kills its process (with SIGKILL, so the suite needs POSIX). The execution must then
    either succeed or fail with an error within reasonable time. If it fails, the target must not
    open, and executing the plan again must succeed.

    Attributes
    ----------
    executor, options
        As in `rechunker.testing.ExecutorTests`.
    survives
        Whether the engine reruns the tasks of a lost worker. Such an engine must still give up if
        a task kills every worker that runs it.
    error
        Regular expression that matches the error about a lost worker.
    """

    survives: ClassVar[bool]
    error: ClassVar[str]

    def planned(self, engine: Executor[Any], tmp_path: Path) -> list[CopySpec]:
        """Return the copy specs of a plan with two stages of many tasks each."""
        source = make(tmp_path / "source", (60, 50), (1, 50))
        planned: Any = rechunker.rechunk(
            source,
            (60, 1),
            2000,
            tmp_path / "target",
            temp_store=tmp_path / "temp",
            executor=Recorder(engine),
        )
        return list(planned.plan)

    def compare(self, tmp_path: Path) -> None:
        """Check that the target equals the source and that no temporary objects are left."""
        source, target = (zarr.open_array(tmp_path / name) for name in ("source", "target"))
        np.testing.assert_array_equal(target[...], source[...])
        assert not any((tmp_path / "temp").rglob("*"))

    def fail(self, engine: Executor[Any], plan: Any, tmp_path: Path) -> None:
        """Check that executing the plan fails and that the target does not open."""
        with pytest.raises(Exception, match=self.error):
            engine.execute_plan(plan, **self.options)
        with pytest.raises(FileNotFoundError):
            zarr.open(tmp_path / "target", mode="r")

    def test_a_killed_worker(self, engine: Executor[Any], tmp_path: Path) -> None:
        """One task of each stage kills its process, and then does no more."""
        specs = self.planned(engine, tmp_path)
        for stage in (1, 2):
            specs = killing(specs, stage, tmp_path / f"armed {stage}", once=True)
        plan = engine.prepare_plan(specs)
        if not self.survives:
            self.fail(engine, plan, tmp_path)
            self.fail(engine, plan, tmp_path)
        engine.execute_plan(plan, **self.options)
        assert not any(tmp_path.glob("armed *"))
        self.compare(tmp_path)
        if self.survives:
            self.give_up(engine, tmp_path / "again")

    def give_up(self, engine: Executor[Any], tmp_path: Path) -> None:
        """Check that a task ends the plan that kills every worker which runs it."""
        specs = self.planned(engine, tmp_path)
        plan = engine.prepare_plan(killing(specs, 2, tmp_path / "armed", once=False))
        self.fail(engine, plan, tmp_path)
        (tmp_path / "armed").unlink()
        engine.execute_plan(plan, **self.options)
        self.compare(tmp_path)
