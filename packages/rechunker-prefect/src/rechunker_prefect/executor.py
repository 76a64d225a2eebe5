"""The executor whose plans are flows of Prefect."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from prefect.task_runners import PrefectTaskRunner, TaskRunner, ThreadPoolTaskRunner

from rechunker.running import BatchRunner, available_cores, check_numbers
from rechunker.types import CopySpec, Executor, Traffic, rounds
from rechunker_prefect.engine import flow_options, limit_of, patient_start
from rechunker_prefect.flow import RechunkFlow, build

__all__ = ["PrefectExecutor"]

# Arrays that the name of a flow run tells.
NAMED = 3


class PrefectExecutor(Executor[RechunkFlow]):
    """Run tasks with Prefect: in threads, or where a task runner has them run.

    A plan is a `prefect.Flow`, small for any number of tasks, that people may also call
    themselves, alone or in flows of their own, and that does all that `execute_plan` does.

    Parameters
    ----------
    task_runner
        What runs the tasks: a thread pool (the default), a process pool, a ``DaskTaskRunner``.
        With threads, stores in the memory of this process can be read and written.
    retries
        How many times more a task is run after it has failed.
    workers
        How many tasks run at a time, *each* of which may hold `max_mem`: there are no more,
        whatever the task runner would do. By default as many as the pool has threads or
        processes, and one if it sets no limit: this process then holds `max_mem`, and is as
        fast.
    threads
        How many reads or writes of one task may be in flight at a time; by default so many
        that the cores which this process may use are shared among the workers.

    Raises
    ------
    ValueError
        If a number is too small, or `workers` is needed since the task runner does not tell it.
    TypeError
        If `task_runner` is something else.

    Examples
    --------
    >>> PrefectExecutor(ThreadPoolTaskRunner(max_workers=4), retries=2, threads=1)
    PrefectExecutor(ThreadPoolTaskRunner, retries=2, workers=4, threads=1)
    """

    def __init__(
        self,
        task_runner: TaskRunner[Any] | type[TaskRunner[Any]] | None = None,
        *,
        retries: int = 0,
        workers: int | None = None,
        threads: int | None = None,
    ) -> None:
        check_numbers(retries=retries, workers=workers, threads=threads)
        if task_runner is None:
            task_runner = ThreadPoolTaskRunner(max_workers=workers or 1)
        self.task_runner = _checked(task_runner)
        self.shares_memory = isinstance(self.task_runner, ThreadPoolTaskRunner)
        self.retries = retries
        self.workers = workers or self._limit()
        self.threads = threads or max(1, available_cores() // self.workers)

    def _limit(self) -> int:
        limit = limit_of(self.task_runner)
        if limit is None and not self.shares_memory:
            name = type(self.task_runner).__name__
            raise ValueError(
                f"{name} does not tell how many tasks it runs at a time, each of which may hold "
                f"max_mem: name a number, as in PrefectExecutor({name}(...), workers=8)"
            )
        return limit or 1

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({type(self.task_runner).__name__}, retries={self.retries}, "
            f"workers={self.workers}, threads={self.threads})"
        )

    def prepare_plan(self, specs: Iterable[CopySpec]) -> RechunkFlow:
        """Return a flow, whose result is a `rechunker.types.Traffic`.

        Its one parameter, `retries`, is that of `execute_plan`.
        """
        every = tuple(specs)
        return build(
            rounds(every),
            BatchRunner(self.retries, os.getpid() if self.shares_memory else None),
            workers=self.workers,
            task_runner=self.task_runner,
            title=_title([spec.name for spec in every if spec.name]),
        )

    def execute_plan(
        self, plan: RechunkFlow, *, retries: int | None = None, **kwargs: Any
    ) -> Traffic:
        """Call the flow.

        Where no API is configured, Prefect starts a server, and is given three minutes for that.

        Parameters
        ----------
        plan
            What `prepare_plan` returned.
        retries
            How many times more a task is run after it has failed; by default as the executor was
            told.
        **kwargs
            Options of the flow, as `prefect.Flow.with_options` takes them: `flow_run_name`,
            `timeout_seconds`, `on_failure` and so on.

        Raises
        ------
        TypeError
            If there are other keyword arguments, or a task runner is named: plans are made for
            one.
        ValueError
            If `retries` is negative.
        """
        _check_options(kwargs)
        check_numbers(retries=retries)
        parameters = {} if retries is None else {"retries": retries}
        with patient_start():
            return plan.with_options(**kwargs)(**parameters)


def _checked(task_runner: TaskRunner[Any] | type[TaskRunner[Any]]) -> TaskRunner[Any]:
    made = task_runner() if isinstance(task_runner, type) else task_runner
    if not isinstance(made, TaskRunner):
        raise TypeError(
            f"task_runner must be a task runner of Prefect, such as "
            f"ThreadPoolTaskRunner(max_workers=4), got {task_runner!r}"
        )
    if isinstance(made, PrefectTaskRunner):
        raise TypeError(
            "PrefectTaskRunner leaves tasks to processes that serve them, and none serves those "
            "of a plan: use ThreadPoolTaskRunner, ProcessPoolTaskRunner or DaskTaskRunner"
        )
    return made


def _check_options(named: Iterable[str]) -> None:
    known = flow_options() - {"task_runner"}
    unknown = sorted(set(named) - known)
    if "task_runner" in unknown:
        raise TypeError(
            "plans are made for one task runner: name it before, "
            "as in rechunk(..., executor=PrefectExecutor(task_runner))"
        )
    if unknown:
        raise TypeError(
            f"the prefect executor takes no {', '.join(unknown)}; "
            f"execute() has {', '.join(sorted(known))}"
        )


def _title(names: Sequence[str]) -> str:
    """Return the name of a flow run, which tells a few arrays."""
    told = ", ".join(names[:NAMED]) or "an array"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"rechunk {told}{more}"
