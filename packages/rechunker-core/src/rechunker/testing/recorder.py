"""An executor that only keeps what it is given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rechunker.types import CopySpec, Executor

__all__ = ["Recorder"]


class Recorder(Executor[tuple[CopySpec, ...]]):
    """Takes the place of an executor, to get at the copy specs that it would be given.

    Parameters
    ----------
    executor
        The executor.

    Examples
    --------
    >>> import zarr
    >>> from rechunker import rechunk
    >>> from rechunker.plugins import get_executor
    >>> source = zarr.ones((4, 4), chunks=(2, 2), store="source.zarr")
    >>> recorder = Recorder(get_executor("python"))
    >>> specs = rechunk(source, (4, 1), "1MB", "target.zarr", executor=recorder).plan
    >>> [stage.name for spec in specs for stage in spec.stages if stage.tasks]
    ['array: copy', 'finish']
    """

    def __init__(self, executor: Executor[Any]) -> None:
        self.shares_memory = executor.shares_memory
        self.takes_futures = executor.takes_futures
        self.workers = executor.workers
        self.threads = executor.threads

    def prepare_plan(self, specs: Iterable[CopySpec]) -> tuple[CopySpec, ...]:
        return tuple(specs)

    def execute_plan(self, plan: tuple[CopySpec, ...], **kwargs: Any) -> None:
        raise NotImplementedError("give the plan to the prepare_plan() of another executor")
