"""Reports say what an execution did, stage by stage, next to what was predicted."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore

import rechunker
from rechunker import Rechunked, rechunk
from rechunker.executors.python import PythonExecutor
from rechunker.types import CopySpec, Executor, Stage, Traffic


def source_at(place: Any) -> zarr.Array[Any]:
    source = zarr.create_array(place, shape=(40, 40), chunks=(4, 40), dtype="f8", fill_value=0)
    source[...] = np.arange(1600.0).reshape(40, 40)
    return source


def planned(source: Any, **options: Any) -> Rechunked[Any]:
    arguments: dict[str, Any] = {"executor": PythonExecutor(2), "temp_store": {}, **options}
    return rechunk(source, (40, 4), "8kB", {}, **arguments)


def report_of(plan: Rechunked[Any], **options: Any) -> rechunker.Report:
    plan.execute(**options)
    assert plan.report is not None
    return plan.report


def test_there_is_no_report_before_the_end(tmp_path: Path) -> None:
    plan = planned(source_at(tmp_path))
    assert plan.report is None
    with pytest.raises(InterruptedError):
        plan.execute(progress=interrupt)
    assert plan.report is None


def interrupt(done: int, total: int, nbytes: int) -> None:
    raise InterruptedError


def test_stages_are_executed_as_predicted(tmp_path: Path) -> None:
    plan = planned(source_at(tmp_path))
    report = report_of(plan)
    assert [stage.name for stage in report.stages] == ["memory: read", "memory: write"]
    for stage, predicted in zip(report.stages, plan.copy_plan[""].stages, strict=True):
        assert stage.predicted == predicted
        assert stage.executed is not None
        for name in ("tasks", "gets", "puts", "bytes_read", "bytes_written"):
            assert getattr(stage.executed, name) == getattr(predicted, name)
        assert 0 < stage.executed.cpu_seconds <= 3 * stage.executed.seconds
    assert report.traffic is not None
    assert report.traffic == plan.traffic
    assert report.traffic.tasks == 20
    assert report.traffic.peak_memory > 10**7
    assert 0 < report.traffic.seconds <= report.seconds


def test_names_of_stages_are_those_of_arrays(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path)
    for name in ("a", "deep/b"):
        group.create_array(name, shape=(40, 40), chunks=(4, 40), dtype="f8")[...] = 1
    plan = rechunk(group, {"a": (40, 4), "deep/b": (40, 8)}, "1MB", {}, executor="python")
    names = [stage.name for stage in report_of(plan).stages]
    assert names == ["a: copy", "deep/b: copy"]


def test_digests_are_those_of_the_function(tmp_path: Path) -> None:
    source = source_at(tmp_path)
    assert report_of(planned(source)).digests == {}
    report = report_of(planned(source), verify=True)
    assert report.digests == rechunker.digest(source).arrays
    assert [stage.name for stage in report.stages][-1] == "memory: verify"
    assert report.stages[-1].predicted is None
    assert f"digest of the array: {report.digests['']}" in str(report)
    assert repr(report) == str(report)  # as notebooks show it


def test_digests_of_a_resumed_run_are_of_all_values(tmp_path: Path) -> None:
    source = source_at(tmp_path / "s")

    def plan() -> Rechunked[Any]:
        places: Any = {"target_store": tmp_path / "t", "temp_store": tmp_path / "x"}
        return rechunk(source, (40, 4), "8kB", executor=PythonExecutor(1), **places)

    with pytest.raises(InterruptedError):
        plan().execute(verify=True, progress=stop_at(23))
    report = report_of(plan(), resume=True, verify=True)
    assert report.digests == rechunker.digest(source).arrays
    assert report.traffic is not None
    assert (report.traffic.tasks, report.traffic.known) == (7, 23)
    known = [stage.executed.known for stage in report.stages if stage.executed is not None]
    assert known == [10, 10, 3]


def stop_at(task: int) -> Any:
    def stop(done: int, total: int, nbytes: int) -> None:
        if done == task:
            raise InterruptedError

    return stop


def test_the_text_is_a_table(tmp_path: Path) -> None:
    lines = str(report_of(planned(source_at(tmp_path)))).splitlines()
    assert lines[0].startswith("PythonExecutor(threads=2, retries=0), 20")
    assert lines[1].split() == [
        *("stage", "tasks", "gets", "puts", "read", "written", "known", "retries", "CPU")
    ]
    assert lines[2].split()[:6] == ["memory:", "read", "predicted", "10", "10", "10"]
    assert lines[3].split()[:4] == ["executed", "10", "10", "10"]
    assert any("peak memory of a process: " in line for line in lines)
    assert lines[-1].startswith("python 3.")


def test_the_dict_is_json(tmp_path: Path) -> None:
    report = report_of(planned(source_at(tmp_path)), verify=True)
    found = json.loads(json.dumps(report.to_dict()))
    assert found == report.to_dict()
    assert found["stages"][0]["predicted"]["memory"] > 0
    assert found["stages"][0]["executed"]["tasks"] == 10
    assert found["digests"] == report.digests
    assert {"python", "rechunker-core", "zarr", "numpy"} <= set(found["versions"])


def test_reports_cannot_be_changed(tmp_path: Path) -> None:
    report = report_of(planned(source_at(tmp_path)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.seconds = 1.0  # type: ignore[misc]


def test_retries_of_tasks_are_counted(tmp_path: Path) -> None:
    source = source_at(MemoryStore())
    failed: list[int] = []

    class Fails(PythonExecutor):
        def prepare_plan(self, specs: Any) -> Any:
            return super().prepare_plan(
                [dataclasses.replace(spec, stages=tuple(map(fails, spec.stages))) for spec in specs]
            )

    def fails(stage: Stage) -> Stage:
        def work(tasks: range) -> Iterator[Traffic]:
            for task in tasks:
                if stage.name == "memory: read" and task == 3 and len(failed) < 2:
                    failed.append(task)
                    raise OSError("no")
                yield from stage.work(range(task, task + 1))

        return dataclasses.replace(stage, work=work)

    report = report_of(planned(source, executor=Fails(1)), retries=2)
    assert report.traffic is not None
    assert report.traffic.retries == 2
    assert report.stages[0].executed is not None
    assert report.stages[0].executed.retries == 2
    assert [stage.executed.retries for stage in report.stages[1:] if stage.executed] == [0]


class Silent(Executor[Any]):
    """An executor that counts nothing."""

    shares_memory = True

    def prepare_plan(self, specs: Any) -> Any:
        return PythonExecutor(1).prepare_plan(specs)

    def execute_plan(self, plan: Any, **kwargs: Any) -> None:
        plan()


def test_executors_that_count_nothing_have_reports_too(tmp_path: Path) -> None:
    report = report_of(planned(source_at(tmp_path), executor=Silent()))
    assert report.traffic is None
    assert [stage.executed for stage in report.stages] == [None, None]
    assert "the executor has counted nothing" in str(report)
    json.dumps(report.to_dict())


def traffic(number: int) -> Traffic:
    one = Traffic(tasks=number, gets=2, sums=((f"a{number}", -number % 2**64),))
    return one.of_stage(f"stage {number % 2}", 1.5, 0.5)


def test_traffic_adds_up_by_stage() -> None:
    total = Traffic.total(map(traffic, range(4)))
    assert (total.tasks, total.gets, total.seconds, total.cpu_seconds) == (6, 8, 6.0, 2.0)
    stages = dict(total.stages)
    assert (stages["stage 0"].tasks, stages["stage 1"].tasks) == (2, 4)
    assert stages["stage 1"].seconds == 3.0
    assert dict(total.sums) == {f"a{n}": -n % 2**64 for n in range(4)}
    assert sum(map(traffic, range(4)), Traffic()) == total
    assert Traffic.total(()) == Traffic()
    peaks = Traffic(peak_memory=5) + Traffic(peak_memory=3)
    assert peaks.peak_memory == 5


def test_counts_of_engines_bring_all_of_it_back() -> None:
    total = Traffic.total(map(traffic, range(4)))
    counts = total.to_counts()
    assert all(-(2**63) <= count < 2**63 for count in counts.values())
    again = Traffic.from_counts(counts)
    assert again == total
    assert (again.seconds, again.sums) == (total.seconds, total.sums)
    assert dict(again.stages)["stage 1"].figures == dict(total.stages)["stage 1"].figures


def test_an_executor_adds_up_what_a_plan_did() -> None:
    specs = [CopySpec("a", (Stage("one", 3, work), Stage("two", 2, work)))]
    done = PythonExecutor(1).prepare_plan(specs)()
    assert {name: part.tasks for name, part in done.stages} == {"one": 3, "two": 2}


def work(tasks: range) -> Iterator[Traffic]:
    return (Traffic(tasks=1) for _ in tasks)


def test_a_report_of_many_arrays_is_short() -> None:
    group = zarr.create_group({})
    for i in range(100):
        group.create_array(f"a{i}", data=np.arange(6), chunks=(2,))
    plan = rechunk(group, {f"a{i}": (3,) for i in range(100)}, "1MB", {}, executor="python")
    plan.execute()
    assert plan.report is not None
    shown = str(plan.report)
    assert "and 70 more stages: to_dict() has them all" in shown
    assert len(shown.splitlines()) < 80
    assert len(plan.report.to_dict()["stages"]) == 100
