"""Arguments: checks of what executors are made with, and of what `execute()` is called with."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["check_numbers", "refuse_keywords"]


def check_numbers(
    *, retries: int | None = None, workers: int | None = None, threads: int | None = None
) -> None:
    """Check the numbers that executors are made with; None stands for a number not given.

    Parameters
    ----------
    retries
        Number of times to retry a failed task.
    workers
        Number of tasks that run at a time.
    threads
        Number of reads or writes that one task has in flight.

    Raises
    ------
    TypeError
        If one of them is not an integer.
    ValueError
        If `retries` is negative, or another number is less than 1.

    Examples
    --------
    >>> check_numbers(retries=-1)
    Traceback (most recent call last):
    ValueError: retries must be 0 or more, got -1
    """
    for name, number, least in (
        ("retries", retries, 0),
        ("workers", workers, 1),
        ("threads", threads, 1),
    ):
        if number is None:
            continue
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            raise TypeError(f"{name} must be an integer, got {number!r}")
        if operator.index(number) < least:
            raise ValueError(f"{name} must be {least} or more, got {number!r}")


def refuse_keywords(executor: str, keywords: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuse keyword arguments of `execute()` that an executor does not know.

    Parameters
    ----------
    executor
        Name of the executor.
    keywords
        Keyword arguments that are left over.
    known
        Names of the keyword arguments that it knows.

    Raises
    ------
    TypeError
        If there is one.

    Examples
    --------
    >>> refuse_keywords("beam", {"speed": 2}, ["options", "retries", "runner"])
    Traceback (most recent call last):
    TypeError: the beam executor takes no speed; execute() takes options, retries, runner
    """
    if keywords:
        raise TypeError(
            f"the {executor} executor takes no {', '.join(sorted(keywords))}; "
            f"execute() takes {', '.join(known)}"
        )
