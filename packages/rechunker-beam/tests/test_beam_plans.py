"""Plans are transforms: small, readable, and usable in any pipeline."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import cloudpickle
import numpy as np
import pytest
import zarr
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult

from rechunker import Rechunked, rechunk
from rechunker.plugins import get_executor
from rechunker.testing import Marking, Nothing
from rechunker.types import CopySpec, Stage, Traffic
from rechunker_beam import BeamExecutor
from rechunker_beam.settings import make_options


def plan(source: Any, place: Path, executor: Any = "beam") -> Rechunked[Any]:
    return rechunk(
        source, (60, 1), 2000, place / "target", temp_store=place / "temp", executor=executor
    )


def stages(*names: str, tasks: int = 10, nbytes: int = 0) -> list[CopySpec]:
    made = tuple(Stage(name, tasks, Nothing(), nbytes=nbytes) for name in names)
    return [CopySpec("a", made)]


def pipeline(runner: Any = "FnApiRunner") -> beam.Pipeline:
    return beam.Pipeline(runner, options=PipelineOptions([]))


def counters(result: PipelineResult) -> dict[tuple[str, str], int]:
    found = result.metrics().query(MetricsFilter().with_namespace("rechunker"))["counters"]
    return {(c.key.step, c.key.metric.name): c.committed for c in found}


def test_the_executor_is_found_by_name() -> None:
    assert isinstance(get_executor("beam"), BeamExecutor)


def test_the_documented_import_path_works() -> None:
    from rechunker.executors.beam import BeamExecutor as Documented

    assert Documented is BeamExecutor


def written(rechunked: Rechunked[Any]) -> int:
    """Return the bytes that all stages of an array write, as planned."""
    return sum(stage.bytes_written for stage in rechunked.copy_plan[""].stages)


def test_a_plan_is_a_transform(source: zarr.Array[Any], tmp_path: Path) -> None:
    assert isinstance(plan(source, tmp_path).plan, beam.PTransform)


def test_a_pipeline_with_a_plan_publishes_the_target(
    source: zarr.Array[Any], tmp_path: Path
) -> None:
    with pipeline() as own:
        own | plan(source, tmp_path).plan
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "target")[...], source[...])
    assert not any((tmp_path / "temp").rglob("*"))


def test_later_steps_wait_for_a_plan(source: zarr.Array[Any], tmp_path: Path) -> None:
    def shape(done: Traffic, target: str, note: str) -> None:
        Path(note).write_text(f"{zarr.open_array(target).shape} {done.bytes_written}")

    rechunked = plan(source, tmp_path)
    with pipeline() as own:
        done = own | rechunked.plan
        done | beam.Map(shape, str(tmp_path / "target"), str(tmp_path / "note"))
    assert (tmp_path / "note").read_text() == f"(60, 50) {written(rechunked)}"


def test_a_pipeline_takes_several_plans(source: zarr.Array[Any], tmp_path: Path) -> None:
    places = [tmp_path / "1", tmp_path / "2"]
    with pipeline() as own:
        for place in places:
            own | f"into {place.name}" >> plan(source, place).plan
    for place in places:
        np.testing.assert_array_equal(zarr.open_array(place / "target")[...], source[...])


def test_dask_runs_several_plans_that_are_flattened(
    source: zarr.Array[Any], tmp_path: Path, on_dask: BeamExecutor
) -> None:
    places = [tmp_path / "1", tmp_path / "2"]
    own = beam.Pipeline(on_dask.runner, options=make_options(on_dask.options))
    plans = [own | place.name >> plan(source, place, on_dask).plan for place in places]
    plans | beam.Flatten()
    result = own.run()
    result.wait_until_finish()
    result.client.close()
    for place in places:
        np.testing.assert_array_equal(zarr.open_array(place / "target")[...], source[...])


def test_one_plan_can_be_applied_to_several_pipelines(tmp_path: Path) -> None:
    spec = CopySpec("a", (Stage("a", 3, Marking(tmp_path, "a")),))
    once = BeamExecutor().prepare_plan([spec])
    for _ in range(2):
        with pipeline() as own:
            own | once
        assert len(list(tmp_path.iterdir())) == 3
        for path in tmp_path.iterdir():
            path.unlink()


def test_a_plan_can_only_be_applied_to_a_pipeline_or_its_steps() -> None:
    with pipeline() as own, pytest.raises(TypeError, match=r"write pipeline \| plan, step \| plan"):
        {"a": own | beam.Create([1])} | BeamExecutor().prepare_plan([])


def slow(folder: Path, number: int) -> Iterator[int]:
    """Leave a file after a while, as a step whose data a plan reads would."""
    time.sleep(0.2)
    (folder / f"before {number}").touch()
    yield from range(number)


@pytest.mark.parametrize("runner", ["FnApiRunner", "DaskRunner"])
def test_a_plan_waits_for_the_steps_before(
    runner: str, on_dask: BeamExecutor, tmp_path: Path
) -> None:
    (tmp_path / "marks").mkdir()
    needed = frozenset(f"before {number}" for number in range(4))
    specs = [CopySpec("a", (Stage("a: read", 3, Marking(tmp_path / "marks", "did", needed)),))]
    executor = BeamExecutor() if runner == "FnApiRunner" else on_dask
    options = make_options(executor.options)
    with beam.Pipeline(executor.runner or runner, options=options) as p:
        first, second = (
            p
            | f"numbers {n}" >> beam.Create([2 * n, 2 * n + 1])
            | f"slow {n}" >> beam.FlatMap(lambda i, marks: slow(marks, i), tmp_path / "marks")
            for n in (0, 1)
        )
        done = (first, second) | executor.prepare_plan(specs)
        done | beam.Map(lambda traffic: (tmp_path / f"tasks {traffic.tasks}").touch())
    if runner == "DaskRunner":
        p.result.client.close()  # Beam leaves it
    assert (tmp_path / "tasks 3").exists()


def test_plans_of_two_targets_need_no_labels(source: zarr.Array[Any], tmp_path: Path) -> None:
    with pipeline() as p:
        done = [
            p | rechunk(source, None, "1MB", tmp_path / name, executor="beam").plan
            for name in ("a", "b", "folder/b")
        ]
        last = rechunk(source, None, "1MB", tmp_path / "other/b", executor="beam").plan
        last = p | "last" >> beam.Create([1]) | last
    labels = [step.producer.full_label.split("/")[0] for step in (*done, last)]
    assert [label.split(" [")[0] for label in labels] == ["Rechunk s to a", *["Rechunk s to b"] * 3]
    again = rechunk(source, None, "1MB", tmp_path / "c" / ".." / "z", executor="beam").plan
    same = rechunk(source, None, "1MB", tmp_path / "z", executor="beam").plan
    assert again.label == same.label


def test_traffic_without_counters(
    source: zarr.Array[Any], tmp_path: Path, on_dask: BeamExecutor
) -> None:
    rechunked = plan(source, tmp_path, on_dask)
    rechunked.execute()
    assert rechunked.traffic is not None
    assert rechunked.traffic.bytes_written == written(rechunked)


def test_steps_and_counters_are_those_of_arrays_and_stages() -> None:
    own = pipeline()
    own | BeamExecutor().prepare_plan(stages("air: read", "air: write"))
    result = own.run()
    found = counters(result)
    assert {step for step, _ in found} == {
        "Rechunk/round 1/air: read",
        "Rechunk/round 2/air: write",
    }
    assert found["Rechunk/round 1/air: read", "tasks"] == 10
    assert {name for _, name in found} == {*Traffic().figures, "peak_memory"}


def test_stages_with_the_same_name_have_different_steps() -> None:
    own = pipeline()
    own | BeamExecutor().prepare_plan(3 * stages("a"))
    tasks = {step: n for (step, name), n in counters(own.run()).items() if name == "tasks"}
    assert tasks == {f"Rechunk/round 1/a{end}": 10 for end in ("", " (2)", " (3)")}


def test_many_arrays_share_steps() -> None:
    specs = [spec for i in range(1000) for spec in stages(f"a{i}", tasks=1)]
    own = pipeline()
    own | BeamExecutor().prepare_plan(specs)
    tasks = {step: n for (step, name), n in counters(own.run()).items() if name == "tasks"}
    assert len(tasks) == 32
    assert sum(tasks.values()) == 1000
    assert tasks["Rechunk/round 1/a0 and 30 more"] == 31


def test_a_plan_of_a_million_tasks_is_small() -> None:
    start = time.process_time()
    made = BeamExecutor().prepare_plan(stages("r", "w", tasks=500_000, nbytes=10**13))
    own = pipeline()
    own | made
    assert time.process_time() - start < 2
    assert len(cloudpickle.dumps(made)) < 10_000
    assert own.to_runner_api().ByteSize() < 1_000_000


def test_a_plan_stays_small_after_it_was_run() -> None:
    executor = BeamExecutor()
    made = executor.prepare_plan(stages("a"))
    executor.execute_plan(made)
    assert len(cloudpickle.dumps(made)) < 10_000


class Batches(beam.pipeline.PipelineVisitor):  # type: ignore[misc]
    """Counts the batches of all rounds."""

    def __init__(self) -> None:
        self.number = 0

    def enter_composite_transform(self, node: Any) -> None:
        if node.full_label.endswith("/batches"):
            self.number += len(node.transform.values)


def batches(specs: Iterable[CopySpec], **options: Any) -> int:
    own = beam.Pipeline("FnApiRunner", options=PipelineOptions.from_dictionary(options))
    own | BeamExecutor(workers=2).prepare_plan(specs)
    visitor = Batches()
    own.visit(visitor)
    return visitor.number


def test_small_tasks_share_batches() -> None:
    assert batches(stages("a", tasks=10_000)) == 2000
    assert batches(stages("a", tasks=100_000)) == 2000


def test_large_tasks_have_batches_of_their_own() -> None:
    assert batches(stages("a", tasks=100, nbytes=10**12)) == 100


def test_a_pipeline_with_more_workers_gets_more_batches() -> None:
    assert batches(stages("a", tasks=100)) == 50
    assert batches(stages("a", tasks=100), direct_num_workers=10) == 80
