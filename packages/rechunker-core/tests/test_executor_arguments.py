"""Arguments of executors, and keyword arguments of `execute()`, are checked in one place."""

from __future__ import annotations

from typing import Any

import pytest

from rechunker.plugins import get_executor
from rechunker.running import BatchRunner, check_numbers, refuse_keywords
from rechunker.types import CopySpec


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ({"retries": -1}, "retries must be 0 or more, got -1"),
        ({"workers": 0}, "workers must be 1 or more, got 0"),
        ({"threads": -2}, "threads must be 1 or more, got -2"),
    ],
)
def test_numbers_that_are_too_small_are_refused(number: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_numbers(**number)


@pytest.mark.parametrize("value", ["x", 1.5, True, [1]])
def test_what_is_no_integer_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="retries must be an integer, got"):
        BatchRunner(value)


def test_numbers_that_are_not_given_are_not_checked() -> None:
    check_numbers(retries=None, workers=None, threads=None)


def test_unknown_keywords_are_named_with_those_that_are_known() -> None:
    expected = r"the dask executor takes no a, b; execute\(\) takes retries"
    with pytest.raises(TypeError, match=expected):
        refuse_keywords("dask", {"b": 1, "a": 2}, ["retries"])


def test_progress_is_a_boolean_or_a_function() -> None:
    engine = get_executor("python")
    plan = engine.prepare_plan([CopySpec("a", ())])
    with pytest.raises(TypeError, match="progress must be True, False or a function, got 3"):
        engine.execute_plan(plan, progress=3)
