"""Tasks are put into batches, and batches into bundles, that are worth a call."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rechunker.running import Batch, batches, bundles
from rechunker.testing import Nothing
from rechunker.types import Stage


def stage(tasks: int, nbytes: int = 0, name: str = "a") -> Stage:
    return Stage(name, tasks, Nothing(), nbytes=nbytes)


def tasks_of(bundle: tuple[Batch, ...]) -> list[tuple[str, int]]:
    return [(batch.name, task) for batch in bundle for task in batch.tasks]


@given(
    tasks=st.integers(0, 5000),
    nbytes=st.integers(0, 10**12),
    overhead=st.sampled_from([0.0, 1e-5, 0.01, 10.0]),
    workers=st.integers(1, 50),
    most=st.integers(1, 3000),
)
def test_every_task_is_in_one_batch(
    tasks: int, nbytes: int, overhead: float, workers: int, most: int
) -> None:
    made = batches(stage(tasks, nbytes), overhead=overhead, workers=workers, most=most)
    assert [task for batch in made for task in batch] == list(range(tasks))
    assert len(made) <= max(most, 8 * workers)
    assert {len(batch) for batch in made} <= {tasks // max(1, len(made)) + i for i in (0, 1)}


def test_tasks_that_take_long_are_alone() -> None:
    assert len(batches(stage(100, nbytes=100 * 10**9), overhead=0.01)) == 100


def test_short_tasks_share_the_cost_of_a_call() -> None:
    assert len(batches(stage(10_000), overhead=0.1)) == 8


@pytest.mark.parametrize("workers", [1, 10])
def test_every_worker_has_something_to_do(workers: int) -> None:
    assert len(batches(stage(10_000), overhead=10.0, workers=workers)) == 8 * workers


@given(
    sizes=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 10**10)), max_size=60),
    overhead=st.sampled_from([0.0, 1e-5, 0.01, 10.0]),
    workers=st.integers(1, 50),
    most=st.integers(1, 300),
    in_all=st.none() | st.integers(1, 100),
)
def test_every_task_of_a_round_is_in_one_bundle(
    sizes: list[tuple[int, int]], overhead: float, workers: int, most: int, in_all: int | None
) -> None:
    stages = [stage(*size, name=f"{i:02}") for i, size in enumerate(sizes)]
    made = bundles(stages, overhead=overhead, workers=workers, most=most, in_all=in_all)
    wanted = [(each.name, task) for each in stages for task in range(each.tasks)]
    assert sorted(task for bundle in made for task in tasks_of(bundle)) == wanted
    assert in_all is None or len(made) <= max(in_all, 8 * workers)
    assert all(made)
    for bundle in made:
        assert len({batch.name for batch in bundle}) == len(bundle)  # one batch of each stage
    assert sum(batch.nbytes for bundle in made for batch in bundle) == pytest.approx(
        sum(each.nbytes for each in stages if each.tasks)
    )


@given(
    tasks=st.integers(0, 50_000),
    nbytes=st.integers(0, 10**12),
    overhead=st.sampled_from([0.0, 0.002, 0.005, 0.1]),
    workers=st.integers(1, 50),
)
@example(tasks=440, nbytes=440_000_000, overhead=0.002, workers=2)
def test_a_single_stage_has_the_batches_that_it_has_alone(
    tasks: int, nbytes: int, overhead: float, workers: int
) -> None:
    one = stage(tasks, nbytes)
    made = bundles([one], overhead=overhead, workers=workers)
    alone = batches(one, overhead=overhead, workers=workers)
    assert [[batch.tasks for batch in bundle] for bundle in made] == [[one] for one in alone]


@pytest.mark.parametrize("workers", [1, 3, 8, 64, 1000])
def test_small_arrays_share_calls_but_keep_all_workers_busy(workers: int) -> None:
    stages = [stage(1, 80_000) for _ in range(10_000)]
    assert len(bundles(stages, overhead=0.002, workers=workers)) == max(8 * workers, 290)


def test_large_arrays_share_no_call() -> None:
    stages = [stage(10, 10**10) for _ in range(100)]
    assert {len(bundle) for bundle in bundles(stages, overhead=0.002)} == {1}


def test_coordinates_share_a_call_beside_a_large_array() -> None:
    stages = [stage(20_000, 20_000 * 10**8, "air")]
    stages += [stage(1, 8000, name) for name in ("lat", "lon", "time")]
    made = bundles(stages, overhead=0.002, workers=20)
    assert [[batch.name for batch in bundle] for bundle in made] == [
        *[["air"]] * 2000,
        ["lat", "lon", "time"],
    ]


def test_bundles_take_similar_times() -> None:
    stages = [stage(1 + i % 90, i % 50 * 10**6) for i in range(1000)]
    made = bundles(stages, overhead=0.1, workers=2)
    seconds = [sum(batch.seconds for batch in bundle) for bundle in made]
    assert max(seconds) < 1.2 * sum(seconds) / len(seconds)


def test_many_stages_for_many_workers_have_few_batches() -> None:
    stages = [stage(10_000, 10_000) for _ in range(1000)]
    assert len(bundles(stages, overhead=0.002, workers=1000)) <= 250_000
