"""Tests of the guarantees of an executor, with stages that copy nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rechunker.testing.engine import LARGE, EngineTests, Patient, Watched, names
from rechunker.testing.work import Changing, Crowding, Failing, Flaky, Marking, Nothing
from rechunker.types import CopySpec, Executor, Stage, Traffic

__all__ = ["ContractTests"]

FAILURE = "task 5 fails on purpose"


def marking(folder: Path, arrays: Iterable[str], rounds: int, tasks: int) -> list[CopySpec]:
    """Return copy specs whose tasks leave files and check for those of the previous round.

    The last task that the first array has in a round takes longer than all others.
    """
    stages: dict[str, list[Stage]] = {array: [] for array in arrays}
    first = next(iter(stages))
    required: frozenset[str] = frozenset()
    for number in range(rounds):
        for array, own_stages in stages.items():
            name = f"{array}: {number}"
            last = tasks - 1 if array == first and number < rounds - 1 else -1
            own_stages.append(Stage(name, tasks, Marking(folder, name, required, last)))
        names = [f"{array}: {number}" for array in stages]
        required = frozenset(f"{name} {task}" for name in names for task in range(tasks))
    return [CopySpec(array, tuple(own_stages)) for array, own_stages in stages.items()]


class ContractTests(EngineTests):
    """Part of `rechunker.testing.ExecutorTests`."""

    def test_all_tasks_run_in_their_round_and_again(
        self, engine: Executor[Any], marks: Path
    ) -> None:
        specs = marking(marks, ["a", "b"], rounds=3, tasks=20)
        plan = engine.prepare_plan(spec for spec in specs)
        expected = {
            f"{array}: {i} {task}" for array in "ab" for i in range(3) for task in range(20)
        }
        for _ in range(2):
            engine.execute_plan(plan, **self.options)
            assert names(marks) == expected
            for path in marks.iterdir():
                path.unlink()

    def test_nothing_is_run_before_the_plan(self, engine: Executor[Any], marks: Path) -> None:
        engine.prepare_plan(marking(marks, ["a"], rounds=2, tasks=3))
        time.sleep(0.2)
        assert not names(marks)

    def test_stages_without_tasks(self, engine: Executor[Any], marks: Path) -> None:
        nothing = Stage("nothing", 0, Nothing())
        (spec,) = marking(marks, ["a"], rounds=2, tasks=3)
        first, second = spec.stages
        specs = [CopySpec("a", (nothing, first, nothing, second, nothing)), CopySpec("b", ())]
        self.run(engine, specs)
        assert len(names(marks)) == 6

    def test_no_specs(self, engine: Executor[Any]) -> None:
        self.run(engine, [])

    def test_traffic_is_that_of_all_tasks(self, engine: Executor[Any]) -> None:
        stages = tuple(Stage(f"stage {tasks}", tasks, Nothing()) for tasks in (1, 70, 7))
        assert self.run(engine, [CopySpec("a", stages)]) in (None, Traffic(tasks=78))

    def test_changes_are_returned_by_executors_that_promise_it(self, engine: Executor[Any]) -> None:
        stages = tuple(Stage(f"stage {tasks}", tasks, Changing()) for tasks in (1, 7))
        traffic = self.run(engine, [CopySpec("a", stages)])
        if engine.returns_changes:
            found = sorted(change.content for change in traffic.changes)
            assert found == [b"0", b"0", *(b"%d" % task for task in range(1, 7))]

    def test_no_more_tasks_run_at_a_time_than_workers(
        self, engine: Executor[Any], marks: Path
    ) -> None:
        stages = [Stage(f"{name}: crowd", 6, Crowding(marks), nbytes=LARGE) for name in "ab"]
        self.run(engine, [CopySpec(stage.name, (stage,)) for stage in stages])
        assert Crowding.most(marks) <= engine.workers

    def test_a_failure_reaches_the_caller_and_ends_the_plan(
        self, engine: Executor[Any], marks: Path
    ) -> None:
        (marks / "broken").touch()
        failing = Stage("a: fail", 9, Failing(marks / "broken", 5))
        later = Stage("a: later", 2, Marking(marks, "later"))
        plan = engine.prepare_plan([CopySpec("a", (failing, later))])
        with pytest.raises(Exception, match=FAILURE):
            engine.execute_plan(plan, **self.options)
        assert names(marks) == {"broken"}
        (marks / "broken").unlink()
        engine.execute_plan(plan, **self.options)  # a plan that failed can be run again
        assert names(marks) == {"later 0", "later 1"}

    def test_a_task_is_tried_as_often_as_is_asked(
        self, engine: Executor[Any], patient: Patient | None, marks: Path
    ) -> None:
        chosen = patient or Patient(engine, {"retries": 2})
        specs = [CopySpec("a", (Stage("a: flaky", 6, Flaky(marks, times=2)),))]
        try:
            self.run(chosen.executor, specs, **chosen.keywords)
        except TypeError:
            assert patient is None
            assert not names(marks)  # an executor that does not retry refuses the keyword
        else:
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
