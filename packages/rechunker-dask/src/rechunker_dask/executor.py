"""`DaskExecutor`, whose plans are Dask delayed objects."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import dask
from dask.delayed import Delayed

from rechunker.running import BatchRunner, Execution, Progress, check_numbers
from rechunker.sizes import format_bytes
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds
from rechunker_dask.engine import (
    check_keywords,
    check_thread,
    connected,
    count_workers,
    ended,
    is_client,
    is_local,
    worker_limits,
)
from rechunker_dask.graph import build, renew
from rechunker_dask.progress import followed

__all__ = ["DaskExecutor", "WorkerMemoryWarning"]

# dask.distributed pauses a worker that uses more than this share of its memory limit.
PAUSE = 0.8
# Bytes that a worker process takes before it does anything: Python, Dask, NumPy and Zarr. Measured
# with Dask 2026.8.
PROCESS = 170 * 10**6


class WorkerMemoryWarning(UserWarning):
    """The tasks that run at the same time on one Dask worker may exceed its memory limit."""


class DaskExecutor(Executor[Delayed]):
    """Run tasks with Dask: on the cluster of the current client, or in threads without a client.

    A plan is one `dask.delayed.Delayed`. It stays small for any number of tasks, and can also be
    computed without `execute_plan`: ``plan.compute()`` and ``client.compute(plan)`` do the same
    work.

    Parameters
    ----------
    scheduler
        Scheduler that runs the plans: anything that `dask.compute` takes, such as "threads",
        "synchronous", "processes" or a `distributed.Client`; or the address of a scheduler, such as
        "tcp://host:8786". By default Dask chooses it when the plan is executed. With "threads" or
        "synchronous", stores in the memory of this process can be read and written.
    retries
        Number of times to retry a failed task. Works with every scheduler.
    workers
        Number of tasks that are expected to run at a time. By default the number of threads of
        the cluster, or of cores of this machine, when a plan is made. *Each* task may hold
        `max_mem`, so a Dask worker with four threads may hold four times as much.
    threads
        Maximum number of reads or writes that one task has in flight. Values above 1 help with
        remote stores and Dask workers that have few threads.

    Raises
    ------
    ValueError
        If `retries` is negative, or `workers` or `threads` is less than 1.
    ImportError
        If `scheduler` is an address, and dask.distributed is not installed.
    OSError
        If no scheduler answers at the address.

    Examples
    --------
    >>> DaskExecutor(scheduler="synchronous").prepare_plan([]).compute().tasks
    0
    """

    returns_changes = True
    takes_futures = True
    # Measured for the scheduler of dask.distributed; those of one machine take less.
    overhead = 0.002

    def __init__(
        self,
        scheduler: Any = None,
        *,
        retries: int = 0,
        workers: int | None = None,
        threads: int = 1,
    ) -> None:
        check_numbers(retries=retries, workers=workers, threads=threads)
        self.scheduler = scheduler = connected(scheduler)
        self.retries = retries
        self.threads = threads
        self.shares_memory = is_local(scheduler)
        self._workers = workers

    def __repr__(self) -> str:
        return f"{type(self).__name__}(scheduler={self.scheduler!r}, retries={self.retries})"

    def __getstate__(self) -> dict[str, Any]:
        # A client cannot be sent: the process that gets the executor uses the client that it has.
        if is_client(self.scheduler):
            return {**self.__dict__, "scheduler": "distributed"}
        return self.__dict__

    @property
    def workers(self) -> int:
        """Number of tasks that are expected to run at a time."""
        return self._workers or count_workers(self.scheduler)

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = value

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Delayed:
        """Return one delayed object whose value is a `rechunker.types.Traffic`.

        Parameters
        ----------
        specs
            Copy specs of the plan.

        Warns
        -----
        WorkerMemoryWarning
            If the tasks that one worker of the cluster runs at a time may exceed 80 % of its
            memory limit.
        """
        stages = rounds(specs)
        _check_memory(stages, worker_limits(self.scheduler))
        runner = BatchRunner(self.retries, os.getpid() if self.shares_memory else None)
        return build(stages, runner, self.workers, self.overhead)

    def renewed_plan(self, plan: Delayed) -> Delayed:
        """Return the plan with new keys.

        A cluster that still holds the result of an old key, or the error, would run nothing.

        Parameters
        ----------
        plan
            Delayed object that `prepare_plan` returned.
        """
        return renew(plan)

    def execute_plan(
        self,
        plan: Delayed,
        *,
        progress: Progress = None,
        retries: int | None = None,
        **kwargs: Any,
    ) -> Traffic:
        """Compute a plan and return the traffic of all its tasks.

        Parameters
        ----------
        plan
            Delayed object that `prepare_plan` returned.
        progress
            True for a progress bar, or a function that is called after each batch of tasks with the
            number of tasks done, the number of tasks in total, and the decoded bytes read and
            written so far.
        retries
            Number of times to retry a failed task; by default the executor's. Unlike the `retries`
            of `dask.compute`, it works with every scheduler.
        **kwargs
            Keyword arguments of `dask.compute` and of its schedulers: `scheduler`, `num_workers`,
            `resources`, `priority` and so on. A scheduler of your own may take any.

        Raises
        ------
        TypeError
            If `progress` is not a boolean or a function, or no scheduler of Dask knows a keyword
            argument: they ignore those.
        ImportError
            If `progress` is True and tqdm is not installed.
        ValueError
            If `retries` is negative.
        RuntimeError
            If the client is asynchronous and its event loop runs in this thread.
        Exception
            The error of a task that failed after all its retries.
        """
        check_keywords(kwargs, kwargs.get("scheduler") or self.scheduler)
        check_thread(kwargs.get("scheduler") or self.scheduler)
        execution = Execution()
        # New keys: a cluster still knows the keys of tasks that failed, and would fail at once.
        plan = renew(plan, execution, retries)
        scheduler = kwargs.pop("scheduler", self.scheduler)
        with ended(execution, scheduler), followed(plan, progress, scheduler) as chosen:
            (traffic,) = dask.compute(plan, scheduler=chosen, **kwargs)
        assert isinstance(traffic, Traffic)
        return traffic


def _check_memory(stages: Sequence[Sequence[Stage]], limits: Sequence[tuple[int, int]]) -> None:
    """Warn if a worker is likely to be paused because its tasks take too much memory."""
    largest = max((stage.memory for together in stages for stage in together), default=0)
    for threads, limit in limits:
        room = int(PAUSE * limit) - PROCESS
        if limit and threads * largest > room:
            advice = f"reduce max_mem to {format_bytes(room // threads)}, or " if room > 0 else ""
            warnings.warn(
                f"a task holds up to {format_bytes(largest)} and a Dask worker with {threads} "
                f"threads and a memory limit of {format_bytes(limit)} runs {threads} tasks at a "
                f"time, besides the {format_bytes(PROCESS)} of the process itself: {advice}start "
                "workers with fewer threads or more memory",
                WorkerMemoryWarning,
                stacklevel=4,
            )
            return
