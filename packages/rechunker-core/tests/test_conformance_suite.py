"""The suite of all executors finds faults, and accepts what executors may do."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import faulty_executors as faulty
import pytest

from rechunker.testing import ExecutorTests

pytestmark = pytest.mark.slow

# The test that finds each fault.
FAULTS: dict[type[faulty.Faultless], str] = {
    faulty.HasMoreWorkers: "no_more_tasks_run_at_a_time_than_workers",
    faulty.HasWorkersForEachStage: "no_more_tasks_run_at_a_time_than_workers",
    faulty.LetsTasksRunOn: "nothing_runs_after_a_failure",
    faulty.LetsTasksBegin: "nothing_runs_after_an_interrupt",
    faulty.CancelsNothing: "nothing_runs_after_an_interrupt",
    faulty.IgnoresRetries: "a_task_is_tried_as_often_as_is_asked",
    faulty.IgnoresKeywords: "keywords_reach_the_engine",
    faulty.HidesErrors: "a_failure_reaches_the_caller_and_ends_the_plan",
    faulty.GoesOnAfterErrors: "a_failure_reaches_the_caller_and_ends_the_plan",
    faulty.DropsMessages: "a_failure_says_where_and_leaves_a_target_that_does_not_open",
    faulty.HasNoBarrier: "all_tasks_run_in_their_round_and_again",
    faulty.MissesTheLastTask: "all_tasks_run_in_their_round_and_again",
    faulty.RunsPlansOnce: "all_tasks_run_in_their_round_and_again",
    faulty.RunsWhenItPlans: "nothing_is_run_before_the_plan",
    faulty.CountsTwice: "traffic_is_that_of_all_tasks",
    faulty.KeepsALock: "a_rechunk_can_be_pickled_and_executed_there",
    faulty.IgnoresProgress: "progress_is_reported_to_the_end",
    faulty.GoesOnAfterTheUsersError: "an_error_of_the_user_ends_the_plan",
    faulty.RefusesProgressLate: "other_progress_is_refused_before_anything_runs",
    faulty.DoesNotShareMemory: "stores_of_one_process_are_refused_unless_memory_is_shared",
}


@pytest.mark.parametrize("executor", FAULTS, ids=lambda executor: executor.__name__)
def test_a_fault_is_found(
    executor: type[faulty.Faultless], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = getattr(ExecutorTests(), f"test_{FAULTS[executor]}")
    kinds: list[type[faulty.Faultless]] = [faulty.Faultless, executor]
    for number, kind in enumerate(kinds):
        marks = tmp_path / str(number) / "marks"
        marks.mkdir(parents=True)
        fixtures: dict[str, Any] = {
            "engine": kind(),
            "marks": marks,
            "tmp_path": marks.parent,
            "monkeypatch": monkeypatch,
            "patient": None,
            "watched": None,
        }
        chosen = {name: fixtures[name] for name in inspect.signature(test).parameters}
        if kind is faulty.Faultless:
            test(**chosen)
        else:
            with pytest.raises(BaseException):  # noqa: B017, PT011, pytest's own is no Exception
                test(**chosen)


class TestRunningTasksTwice(ExecutorTests):
    """Every task is run twice at the same time, and counted once."""

    repeats = 1

    @pytest.fixture
    def engine(self) -> faulty.RunsTasksTwice:
        return faulty.RunsTasksTwice()
