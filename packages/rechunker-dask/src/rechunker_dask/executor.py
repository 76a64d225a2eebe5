"""The executor whose plans are delayed objects of dask."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import dask
from dask.delayed import Delayed

from rechunker.running import BatchRunner, check_numbers
from rechunker.sizes import format_bytes
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds
from rechunker_dask.engine import count_workers, is_local, worker_limits
from rechunker_dask.graph import build, renew

__all__ = ["DaskExecutor", "WorkerMemoryWarning"]

# A worker of dask.distributed that holds more of its memory takes no further task.
PAUSE = 0.8


class WorkerMemoryWarning(UserWarning):
    """The tasks that a worker runs at a time may hold more memory than it has."""


class DaskExecutor(Executor[Delayed]):
    """Run tasks with dask: on a client's cluster if there is one, otherwise in threads.

    A plan is one `dask.delayed.Delayed`, small for any number of tasks, that people may also
    compute themselves: ``plan.compute()`` or ``client.compute(plan)`` do all that `execute_plan`
    does.

    Parameters
    ----------
    scheduler
        What runs the plans, as `dask.compute` takes it: "threads", "synchronous", "processes" or a
        client of dask.distributed. By default what dask chooses when the plan is executed. With
        one of the first two, stores in the memory of this process can be read and written.
    retries
        How many times more a task is run after it has failed, with any scheduler.
    workers
        How many tasks plans are made for. By default as many as can run when a plan is made: the
        threads of all workers of the cluster, or the cores of this machine. *Each* of them may hold
        `max_mem`, so a worker with four threads may hold four times as much.
    threads
        How many reads or writes of one task may be in flight at a time. More than one is of use
        where stores are far away and workers have few threads.

    Examples
    --------
    >>> DaskExecutor(scheduler="synchronous").prepare_plan([]).compute().tasks
    0
    """

    takes_futures = True

    def __init__(
        self,
        scheduler: Any = None,
        *,
        retries: int = 0,
        workers: int | None = None,
        threads: int = 1,
    ) -> None:
        check_numbers(retries=retries, workers=workers, threads=threads)
        self.scheduler = scheduler
        self.retries = retries
        self.threads = threads
        self.shares_memory = is_local(scheduler)
        self._workers = workers

    def __repr__(self) -> str:
        return f"{type(self).__name__}(scheduler={self.scheduler!r}, retries={self.retries})"

    @property
    def workers(self) -> int:
        """How many tasks are expected to run at a time."""
        return self._workers or count_workers(self.scheduler)

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = value

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Delayed:
        """Return one delayed object, whose value is a `rechunker.types.Traffic`."""
        stages = rounds(specs)
        _check_memory(stages, worker_limits(self.scheduler))
        return build(stages, self._runner(self.retries), self.workers)

    def execute_plan(self, plan: Delayed, *, retries: int | None = None, **kwargs: Any) -> Traffic:
        """Compute the plan.

        Parameters
        ----------
        plan
            What `prepare_plan` returned.
        retries
            How many times more a task is run after it has failed; by default as the executor was
            told. Unlike that of `dask.compute` this one works with every scheduler.
        **kwargs
            For `dask.compute`: `scheduler`, `num_workers`, `resources`, `priority` and so on.

        Raises
        ------
        TypeError
            If `progress` is asked for, which dask shows in its own way.
        """
        if "progress" in kwargs:
            raise TypeError(
                "progress is not for dask, which has bars of its own: dask.diagnostics.ProgressBar "
                "around execute(), or distributed.progress(client.compute(rechunked.plan))"
            )
        # With the keys of tasks that have failed a cluster would fail at once.
        plan = renew(plan, None if retries is None else self._runner(retries))
        if self.scheduler is not None:
            kwargs.setdefault("scheduler", self.scheduler)
        (traffic,) = dask.compute(plan, **kwargs)
        assert isinstance(traffic, Traffic)
        return traffic

    def _runner(self, retries: int) -> BatchRunner:
        return BatchRunner(retries, os.getpid() if self.shares_memory else None)


def _check_memory(stages: Sequence[Sequence[Stage]], limits: Sequence[tuple[int, int]]) -> None:
    """Warn where a worker is likely to stop for want of memory."""
    largest = max((stage.memory for together in stages for stage in together), default=0)
    for threads, limit in limits:
        if limit and threads * largest > PAUSE * limit:
            warnings.warn(
                f"a task holds up to {format_bytes(largest)}, and a worker with {threads} threads "
                f"and {format_bytes(limit)} runs as many tasks at a time: give a max_mem of "
                f"{format_bytes(int(PAUSE * limit / threads))}, or workers fewer threads",
                WorkerMemoryWarning,
                stacklevel=4,
            )
            return
