"""Tests of the guarantees of an executor, with stages that copy nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rechunker.testing.engine import EngineTests, Patient, Watched
from rechunker.testing.work import Failing, Flaky, Marking, Nothing
from rechunker.types import CopySpec, Executor, Stage, Traffic

__all__ = ["ContractTests"]

FAILURE = "task 5 fails on purpose"


def marking(folder: Path, arrays: Iterable[str], rounds: int, tasks: int) -> list[CopySpec]:
    """Return copy specs whose tasks leave files and check for those of the previous round."""
    stages: dict[str, list[Stage]] = {array: [] for array in arrays}
    required: frozenset[str] = frozenset()
    for number in range(rounds):
        for array, own_stages in stages.items():
            name = f"{array}: {number}"
            own_stages.append(Stage(name, tasks, Marking(folder, name, required, tasks - 1)))
        names = [f"{array}: {number}" for array in stages]
        required = frozenset(f"{name} {task}" for name in names for task in range(tasks))
    return [CopySpec(array, tuple(own_stages)) for array, own_stages in stages.items()]


def names(folder: Path) -> set[str]:
    """Return the names of all files in a folder."""
    return {path.name for path in folder.iterdir()}


class ContractTests(EngineTests):
    """Part of `rechunker.testing.ExecutorTests`."""

    def test_every_task_is_run(self, engine: Executor[Any], marks: Path) -> None:
        self.run(engine, marking(marks, ["a", "b"], rounds=1, tasks=40))
        assert names(marks) == {f"{array}: 0 {task}" for array in "ab" for task in range(40)}

    def test_rounds_are_kept_apart(self, engine: Executor[Any], marks: Path) -> None:
        self.run(engine, marking(marks, ["a", "b"], rounds=3, tasks=10))
        assert "early" not in names(marks)
        assert len(names(marks)) == 60

    def test_nothing_is_run_before_the_plan(self, engine: Executor[Any], marks: Path) -> None:
        engine.prepare_plan(marking(marks, ["a"], rounds=2, tasks=3))
        time.sleep(0.2)
        assert not names(marks)

    def test_specs_are_read_once(self, engine: Executor[Any], marks: Path) -> None:
        self.run(engine, (spec for spec in marking(marks, ["a", "b"], rounds=2, tasks=2)))
        assert len(names(marks)) == 8

    def test_stages_without_tasks(self, engine: Executor[Any], marks: Path) -> None:
        nothing = Stage("nothing", 0, Nothing())
        (spec,) = marking(marks, ["a"], rounds=2, tasks=3)
        first, second = spec.stages
        specs = [CopySpec("a", (nothing, first, nothing, second, nothing)), CopySpec("b", ())]
        self.run(engine, specs)
        assert len(names(marks)) == 6

    def test_no_specs(self, engine: Executor[Any]) -> None:
        self.run(engine, [])

    def test_a_plan_can_be_run_again(self, engine: Executor[Any], marks: Path) -> None:
        plan = engine.prepare_plan(marking(marks, ["a"], rounds=2, tasks=3))
        engine.execute_plan(plan, **self.options)
        for path in marks.iterdir():
            path.unlink()
        engine.execute_plan(plan, **self.options)
        assert len(names(marks)) == 6

    def test_traffic_is_that_of_all_tasks(self, engine: Executor[Any]) -> None:
        stages = tuple(Stage(f"stage {tasks}", tasks, Nothing()) for tasks in (1, 70, 7))
        assert self.run(engine, [CopySpec("a", stages)]) in (None, Traffic(tasks=78))

    def test_a_failure_reaches_the_caller(self, engine: Executor[Any], marks: Path) -> None:
        (marks / "broken").touch()
        stage = Stage("a: fail", 9, Failing(marks / "broken", 5))
        with pytest.raises(Exception, match=FAILURE):
            self.run(engine, [CopySpec("a", (stage,))])

    def test_a_failure_ends_the_plan(self, engine: Executor[Any], marks: Path) -> None:
        (marks / "broken").touch()
        failing = Stage("a: fail", 9, Failing(marks / "broken", 5))
        later = Stage("a: later", 2, Marking(marks, "later"))
        with pytest.raises(Exception, match=FAILURE):
            self.run(engine, [CopySpec("a", (failing, later))])
        assert names(marks) == {"broken"}

    def test_a_plan_that_failed_can_be_run_again(self, engine: Executor[Any], marks: Path) -> None:
        (marks / "broken").touch()
        failing = Stage("a: fail", 9, Failing(marks / "broken", 5))
        later = Stage("a: later", 2, Marking(marks, "later"))
        plan = engine.prepare_plan([CopySpec("a", (failing, later))])
        with pytest.raises(Exception, match=FAILURE):
            engine.execute_plan(plan, **self.options)
        (marks / "broken").unlink()
        engine.execute_plan(plan, **self.options)
        assert names(marks) == {"later 0", "later 1"}

    def test_a_task_is_tried_as_often_as_is_asked(
        self, engine: Executor[Any], patient: Patient | None, marks: Path
    ) -> None:
        specs = [CopySpec("a", (Stage("a: flaky", 6, Flaky(marks, times=2)),))]
        if patient is None:  # without retries the first failure ends the plan
            with pytest.raises(Exception, match="fails on attempt 1"):
                self.run(engine, specs)
        else:
            self.run(patient.executor, specs, **patient.keywords)
            assert names(marks) >= {"flaky 1.2", "flaky 4.2", "flaky 5.0"}

    def test_retries_come_to_an_end(
        self, engine: Executor[Any], patient: Patient | None, marks: Path
    ) -> None:
        chosen = patient or Patient(engine)
        specs = [CopySpec("a", (Stage("a: flaky", 6, Flaky(marks, times=50)),))]
        with pytest.raises(Exception, match=r"fails on attempt \d"):
            self.run(chosen.executor, specs, **chosen.keywords)

    def test_keywords_reach_the_engine(
        self, engine: Executor[Any], watched: Watched | None
    ) -> None:
        specs = [CopySpec("a", (Stage("a: nothing", 3, Nothing(), nbytes=3),))]
        if watched is None:  # then any keyword argument must raise an error
            with pytest.raises(TypeError, match="no_such_keyword"):
                self.run(engine, specs, no_such_keyword=1)
        else:
            self.run(engine, specs, **watched.keywords)
            assert watched.arrived()

    def test_a_plan_of_a_million_tasks_is_made_in_seconds(self, engine: Executor[Any]) -> None:
        stages = tuple(Stage(f"a: {i}", 500_000, Nothing(), nbytes=10**13) for i in range(2))
        start = time.process_time()
        engine.prepare_plan([CopySpec("a", stages)])
        assert time.process_time() - start < 10
