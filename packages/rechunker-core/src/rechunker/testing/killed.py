"""Tests of engines with worker processes, which are killed in the middle of a task."""

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

# A task in the middle of those of each stage.
VICTIM = 7


def killing(specs: Iterable[CopySpec], stage: int, file: Path, *, once: bool) -> list[CopySpec]:
    """Return specs one task of which kills its process, for as long as there is a file."""
    file.touch()
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
    """Tests for engines whose tasks never run in the process of the tests; make a subclass.

    A task is killed with its process (by SIGKILL, so this needs POSIX). The plan then goes
    through all the same, or ends with an error, in time; in this case the target does not open,
    and the plan goes through when it is executed again.

    Attributes
    ----------
    executor, options
        As of `rechunker.testing.ExecutorTests`.
    survives
        Whether the engine runs what was lost with a worker anew. One that does must give up in the
        end where a task kills every worker.
    error
        What is said of a worker that was lost, as a regular expression.
    """

    survives: ClassVar[bool]
    error: ClassVar[str]

    def planned(self, engine: Executor[Any], tmp_path: Path) -> list[CopySpec]:
        """Return the specs of a plan of two stages, of many tasks each."""
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
        """Compare source and target."""
        source, target = (zarr.open_array(tmp_path / name) for name in ("source", "target"))
        np.testing.assert_array_equal(target[...], source[...])
        assert not any((tmp_path / "temp").rglob("*"))

    def fail(self, engine: Executor[Any], plan: Any, tmp_path: Path) -> None:
        """Execute a plan that fails."""
        with pytest.raises(Exception, match=self.error):
            engine.execute_plan(plan, **self.options)
        with pytest.raises(FileNotFoundError):
            zarr.open(tmp_path / "target", mode="r")

    @pytest.mark.parametrize("stage", [1, 2])
    def test_a_killed_worker(self, engine: Executor[Any], stage: int, tmp_path: Path) -> None:
        specs = self.planned(engine, tmp_path)
        plan = engine.prepare_plan(killing(specs, stage, tmp_path / "armed", once=True))
        if not self.survives:
            self.fail(engine, plan, tmp_path)
        engine.execute_plan(plan, **self.options)
        assert not (tmp_path / "armed").exists()
        self.compare(tmp_path)

    def test_a_task_that_kills_every_worker(self, engine: Executor[Any], tmp_path: Path) -> None:
        specs = self.planned(engine, tmp_path)
        plan = engine.prepare_plan(killing(specs, 2, tmp_path / "armed", once=False))
        self.fail(engine, plan, tmp_path)
        (tmp_path / "armed").unlink()
        engine.execute_plan(plan, **self.options)
        self.compare(tmp_path)
