"""Progress: a bar, or a function of the user's, that follows a plan while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from rechunker.types import Stage, Traffic

__all__ = ["Progress", "reporter"]

Progress: TypeAlias = bool | Callable[[int, int, int], object] | None
"""True for a progress bar, or a function that is called with the number of tasks done, the number
of all tasks, and the (decoded) bytes read and written so far."""


@contextmanager
def reporter(
    progress: Progress, rounds: Sequence[Sequence[Stage]]
) -> Iterator[Callable[[Traffic], None]]:
    """Yield a function to call with the traffic of each task.

    Parameters
    ----------
    progress
        What the user wants to see.
    rounds
        All stages of the plan. Stages without bytes do not count: they start and finish a plan.

    Raises
    ------
    ImportError
        If `progress` is True and tqdm is not installed.
    TypeError
        If `progress` is something else than a boolean, a function or None.
    """
    stages = [stage for together in rounds for stage in together]
    if progress is None or progress is False:
        yield lambda traffic: None
    elif progress is True:
        with _bar(sum(stage.nbytes for stage in stages)) as bar:
            yield lambda traffic: bar.update(traffic.bytes_read + traffic.bytes_written)
    elif callable(progress):
        yield _Callback(progress, sum(len(stage) for stage in stages if stage.nbytes))
    else:
        raise TypeError(f"progress must be True, False or a function, got {progress!r}")


class _Callback:
    def __init__(self, function: Callable[[int, int, int], object], tasks: int) -> None:
        self._function = function
        self._total = tasks
        self._done = self._nbytes = 0

    def __call__(self, traffic: Traffic) -> None:
        if traffic.tasks or traffic.known:
            self._done += traffic.tasks + traffic.known
            self._nbytes += traffic.bytes_read + traffic.bytes_written
            self._function(self._done, self._total, self._nbytes)


def _bar(nbytes: int):  # type: ignore[no-untyped-def]
    try:
        from tqdm.auto import tqdm  # an optional dependency
    except ImportError as error:
        if error.name != "tqdm":
            raise
        raise ImportError(
            "progress=True needs tqdm: pip install rechunker-core[progress]", name="tqdm"
        ) from error
    return tqdm(total=nbytes, unit="B", unit_scale=True, unit_divisor=1000, desc="rechunk")
