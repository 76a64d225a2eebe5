"""`Recorder`: an executor that only records the copy specs it gets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rechunker.types import CopySpec, Executor

__all__ = ["Recorder"]


class Recorder(Executor[tuple[CopySpec, ...]]):
    """Stand-in for an executor whose plan is the tuple of copy specs that the executor would get.

    Parameters
    ----------
    executor
        Executor whose attributes, such as `workers`, the recorder copies.

    Examples
    --------
    >>> import zarr
    >>> from rechunker import rechunk
    >>> from rechunker.plugins import get_executor
    >>> source = zarr.ones((4, 4), chunks=(2, 2), store="source.zarr")
    >>> recorder = Recorder(get_executor("python"))
    >>> specs = rechunk(source, (4, 1), "1MB", "target.zarr", executor=recorder).plan
    >>> [stage.name for spec in specs for stage in spec.stages if stage.tasks]
    ['target.zarr: copy', 'start', 'finish']
    """

    def __init__(self, executor: Executor[Any]) -> None:
        self.shares_memory = executor.shares_memory
        self.returns_changes = executor.returns_changes
        self.takes_futures = executor.takes_futures
        self.workers = executor.workers
        self.threads = executor.threads
        self.overhead = executor.overhead

    def prepare_plan(self, specs: Iterable[CopySpec]) -> tuple[CopySpec, ...]:
        return tuple(specs)

    def execute_plan(self, plan: tuple[CopySpec, ...], **kwargs: Any) -> None:
        raise NotImplementedError(
            "a Recorder cannot execute plans: pass its plan to prepare_plan() of another executor"
        )
