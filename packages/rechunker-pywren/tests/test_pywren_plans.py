"""Plans are functions of no arguments, small, and complete for those who call them."""

from __future__ import annotations

import os
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from pywren_work import Stubborn, processes

from rechunker import Rechunked, rechunk
from rechunker.plugins import get_executor
from rechunker.running import available_cores
from rechunker.testing import Failing, Nothing, Telling
from rechunker.types import CopySpec, Stage, Traffic
from rechunker_pywren import PywrenExecutor
from rechunker_pywren.calls import Call, in_parts


@pytest.fixture
def source(tmp_path: Path) -> zarr.Array[Any]:
    array = zarr.create_array(tmp_path / "s", shape=(60, 50), chunks=(1, 50), dtype="i4")
    array[...] = np.arange(3000).reshape(60, 50) + 1
    return array


def plan(source: Any, place: Path) -> Rechunked[Any]:
    stores: dict[str, Any] = {"target_store": place / "target", "temp_store": place / "temp"}
    return rechunk(source, (60, 1), 2000, executor=PywrenExecutor(workers=2), **stores)


def million() -> list[CopySpec]:
    stages = (Stage(f"air: {verb}", 500_000, Nothing(), nbytes=10**13) for verb in ("r", "w"))
    return [CopySpec("air", tuple(stages))]


def calls(stage: Stage, **kwargs: Any) -> int:
    """Return the number of calls for a stage."""
    (((batches,),),) = (PywrenExecutor(**kwargs).prepare_plan([CopySpec("", (stage,))]).rounds,)
    return len(batches.ranges)


def test_documented_path_leads_here() -> None:
    from rechunker.executors.pywren import PywrenExecutor as Documented

    assert Documented is PywrenExecutor
    assert isinstance(get_executor("pywren"), PywrenExecutor)


def test_calling_a_plan_publishes_the_target(source: zarr.Array[Any], tmp_path: Path) -> None:
    plan(source, tmp_path).plan()
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target")[...], source[...])
    assert not any((tmp_path / "temp").rglob("*"))


def test_plans_can_be_pickled(tmp_path: Path) -> None:
    specs = [CopySpec("a", (Stage("a", 3, Nothing()),))]
    plan = PywrenExecutor(workers=1).prepare_plan(specs)
    assert pickle.loads(pickle.dumps(plan))() == Traffic(tasks=3)


def test_plans_for_a_local_executor_of_the_user_cannot_be_pickled(functions: Any) -> None:
    with pytest.raises(TypeError, match="do not pickle"):
        pickle.dumps(PywrenExecutor(functions).prepare_plan([]))


def test_a_plan_of_a_million_tasks_is_small() -> None:
    start = time.process_time()
    plan = PywrenExecutor(workers=2).prepare_plan(million())
    assert len(pickle.dumps(plan)) < 50_000
    assert time.process_time() - start < 2


def test_small_tasks_are_put_together() -> None:
    assert calls(Stage("a", 10_000, Nothing(), nbytes=10_000), workers=2) < 200


def test_large_tasks_are_not_put_together() -> None:
    assert calls(Stage("a", 100, Nothing(), nbytes=100 * 10**9), workers=2) == 100


def test_a_stage_has_only_so_many_calls() -> None:
    assert calls(Stage("a", 10**6, Nothing(), nbytes=10**15), workers=2) == 500


def test_calls_are_handed_over_in_parts() -> None:
    stage = b"0" * 10**6
    made = [Call("a", stage, range(i, i + 1), 0) for i in range(5)]
    assert [len(part) for part in in_parts(made)] == [2, 2, 1]
    assert [call for part in in_parts(made) for call in part] == made


def test_one_task_runs_at_a_time_for_each_worker(tmp_path: Path) -> None:
    stage = Stage("a", 40, Telling(Nothing(), tmp_path, 0.01))
    PywrenExecutor(workers=3).prepare_plan([CopySpec("a", (stage,))])()
    assert len(processes(tmp_path)) == 3
    assert os.getpid() not in processes(tmp_path)


def test_there_is_a_worker_for_each_core() -> None:
    assert PywrenExecutor().workers == available_cores()
    assert repr(PywrenExecutor(workers=3)) == "PywrenExecutor(retries=0, workers=3)"


def test_an_error_has_the_traceback_of_the_worker(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    specs = [CopySpec("a", (Stage("a: read", 9, Failing(tmp_path / "broken", 5)),))]
    with pytest.raises(ValueError, match="task 5 fails on purpose") as failure:
        PywrenExecutor(workers=2).prepare_plan(specs)()
    assert "work.py" in failure.value.__notes__[0]


def test_an_error_that_cannot_be_pickled_keeps_its_text() -> None:
    specs = [CopySpec("a", (Stage("a: read", 9, Stubborn()),))]
    with pytest.raises(Exception, match="this and that"):
        PywrenExecutor(workers=2).prepare_plan(specs)()


@pytest.mark.parametrize("bad", [{"retries": -1}, {"workers": 0}, {"threads": 0}])
def test_numbers_are_checked(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        PywrenExecutor(**bad)


def test_retries_are_checked_before_anything_is_run(tmp_path: Path) -> None:
    stage = Stage("a", 3, Telling(Nothing(), tmp_path))
    executor = PywrenExecutor(workers=1)
    with pytest.raises(ValueError, match="retries must be 0 or more, got -1"):
        executor.execute_plan(executor.prepare_plan([CopySpec("a", (stage,))]), retries=-1)
    assert not any(tmp_path.iterdir())


def test_unknown_keywords_are_named(source: zarr.Array[Any], tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="no bar, speed; execute\\(\\) takes progress, retries"):
        plan(source, tmp_path).execute(speed=2, bar=True)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("bad", ["lithops", dict, object(), {"pywren": {}}])
def test_other_objects_than_function_executors_are_refused(bad: Any) -> None:
    with pytest.raises(TypeError, match="must be a FunctionExecutor"):
        PywrenExecutor(bad)


def test_systems_without_forks_need_a_function_executor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.name", "nt")
    with pytest.raises(OSError, match="give a function executor"):
        PywrenExecutor()
