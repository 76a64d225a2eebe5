"""Tasks are put into batches that are worth a call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rechunker.running import batches
from rechunker.testing import Nothing
from rechunker.types import Stage


def stage(tasks: int, nbytes: int = 0) -> Stage:
    return Stage("a", tasks, Nothing(), nbytes=nbytes)


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
