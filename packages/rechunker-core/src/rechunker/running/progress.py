"""Telling people how far a plan has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from rechunker.types import Stage, Traffic

__all__ = ["Progress", "reporter"]

Progress: TypeAlias = bool | Callable[[int, int, int], object] | None
"""True for a bar, or a function of tasks done, tasks in all, and bytes read and written so far."""


@contextmanager
def reporter(
    progress: Progress, stages: Sequence[Sequence[Stage]]
) -> Iterator[Callable[[Traffic], None]]:
    """Yield a function to be called with what each task did.

    Parameters
    ----------
    progress
        What the user asked for.
    stages
        All that will be run; stages without bytes (they start and finish a plan) do not count.

    Raises
    ------
    ImportError
        If a bar is asked for, and tqdm is not installed.
    """
    tasks = sum(len(stage) for together in stages for stage in together if stage.nbytes)
    if not progress:
        yield lambda traffic: None
    elif progress is True:
        nbytes = sum(stage.nbytes for together in stages for stage in together)
        with _bar(nbytes) as bar:
            yield lambda traffic: bar.update(traffic.bytes_read + traffic.bytes_written)
    else:
        yield _Callback(progress, tasks)


class _Callback:
    def __init__(self, function: Callable[[int, int, int], object], tasks: int) -> None:
        self._function = function
        self._total = tasks
        self._done = self._nbytes = 0

    def __call__(self, traffic: Traffic) -> None:
        if traffic.tasks:
            self._done += traffic.tasks
            self._nbytes += traffic.bytes_read + traffic.bytes_written
            self._function(self._done, self._total, self._nbytes)


def _bar(nbytes: int):  # type: ignore[no-untyped-def]
    try:
        from tqdm.auto import tqdm  # an extra
    except ImportError as error:
        if error.name != "tqdm":
            raise
        raise ImportError(
            "progress=True needs tqdm: pip install rechunker-core[progress]", name="tqdm"
        ) from error
    return tqdm(total=nbytes, unit="B", unit_scale=True, unit_divisor=1000, desc="rechunk")
