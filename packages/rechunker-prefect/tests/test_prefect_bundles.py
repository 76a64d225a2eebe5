"""Task runs are few, have telling names, and take similar times."""

from __future__ import annotations

import pytest

from rechunker.testing import Nothing
from rechunker.types import Stage
from rechunker_prefect.bundles import Bundle, bundles

GIGABYTE = 10**9


def stage(name: str, tasks: int, nbytes: int = 0) -> Stage:
    return Stage(name, tasks, Nothing(), nbytes=nbytes)


def tasks_of(made: tuple[Bundle, ...]) -> list[tuple[str, int]]:
    return [(b.stage.name, task) for bundle in made for b in bundle.batches for task in b.tasks]


@pytest.mark.parametrize("arrays", [1, 7, 500])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_task_is_in_one_bundle(arrays: int, workers: int) -> None:
    stages = [stage(f"a{i}", 1 + 37 * i % 100, i * GIGABYTE) for i in range(arrays)]
    wanted = [(stage.name, task) for stage in stages for task in range(stage.tasks)]
    assert sorted(tasks_of(bundles(stages, workers))) == sorted(wanted)


def test_a_large_stage_has_32_task_runs() -> None:
    assert len(bundles([stage("a", 10**6, 10**6 * GIGABYTE)], workers=1)) == 32


def test_a_small_stage_has_eight_for_each_worker() -> None:
    assert len(bundles([stage("a", 1000)], workers=3)) == 24


def test_each_of_many_workers_has_work() -> None:
    assert len(bundles([stage("a", 10**6, 10**6 * GIGABYTE)], workers=100)) == 800


@pytest.mark.parametrize("nbytes", [0, GIGABYTE])
def test_many_arrays_share_task_runs(nbytes: int) -> None:
    assert len(bundles([stage(f"a{i}", 50, nbytes) for i in range(1000)], workers=1)) == 32


def test_bundles_take_similar_times() -> None:
    stages = [stage(f"a{i}", 1 + i % 90, i % 50 * GIGABYTE) for i in range(1000)]
    seconds = [bundle.seconds for bundle in bundles(stages, workers=1)]
    assert max(seconds) < 1.2 * sum(seconds) / len(seconds)


def test_stages_without_tasks_have_no_task_run() -> None:
    assert bundles([stage("nothing", 0), stage("a", 1)], workers=1)[0].stage == "a"
    assert bundles([], workers=1) == ()


def test_task_runs_are_named_after_stage_and_tasks() -> None:
    assert [b.name for b in bundles([stage("air: read", 1)], 1)] == ["air: read 0"]
    names = [b.name for b in bundles([stage("air: read", 800)], 1)]
    assert names[:2] == ["air: read 0-99", "air: read 100-199"]


def test_names_contain_the_number_of_further_batches() -> None:
    made = bundles([stage(f"a{i}", 1) for i in range(16)], workers=1)
    assert [bundle.name for bundle in made[:2]] == ["a0 0 and 1 more", "a2 0 and 1 more"]
