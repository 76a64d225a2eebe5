"""`PrefectExecutor`, whose plans are Prefect flows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prefect.task_runners import PrefectTaskRunner, TaskRunner, ThreadPoolTaskRunner

from rechunker.running import (
    BatchRunner,
    Progress,
    available_cores,
    check_numbers,
    refuse_keywords,
    reporter,
)
from rechunker.types import CopySpec, Executor, Traffic, rounds
from rechunker_prefect.bundles import RUN_SECONDS
from rechunker_prefect.engine import completed, flow_options, limit_of, patient_start
from rechunker_prefect.flow import RechunkFlow, build
from rechunker_prefect.progress import reporting_to

__all__ = ["PrefectExecutor"]

# Number of arrays that the name of a flow run lists if the plan has no title.
NAMED = 3


class PrefectExecutor(Executor[RechunkFlow]):
    """Run tasks with Prefect: in threads, or wherever a task runner runs them.

    A plan is a `prefect.Flow`. It stays small for any number of tasks, and can also be called
    without `execute_plan`, alone or in another flow; that does the same work.

    Parameters
    ----------
    task_runner
        Task runner of the flow, as an instance or a class: ``ThreadPoolTaskRunner`` (the default),
        ``ProcessPoolTaskRunner``, ``DaskTaskRunner``. With threads, stores in the memory of this
        process can be read and written.
    retries
        Number of times to retry a failed task.
    workers
        Maximum number of tasks that run at a time, even if the task runner would run more; *each*
        may hold `max_mem`. By default the number of threads or processes of the pool, or of threads
        in the settings of a ``DaskTaskRunner``. 1 if a thread pool has no limit: then this process
        holds one `max_mem`, and is just as fast, as one task uses all cores.
    threads
        Maximum number of reads or writes that one task has in flight. By default the number of
        cores that this process may use, divided by `workers`.

    Raises
    ------
    ValueError
        If `retries` is negative, or `workers` or `threads` is less than 1, or if `workers` is not
        given and the task runner does not tell how many tasks it runs at a time.
    TypeError
        If `task_runner` is not a task runner of Prefect, or is a `PrefectTaskRunner`.

    Examples
    --------
    >>> PrefectExecutor(ThreadPoolTaskRunner(max_workers=4), retries=2, threads=1)
    PrefectExecutor(ThreadPoolTaskRunner, retries=2, workers=4, threads=1)
    """

    overhead = RUN_SECONDS

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
                f"{name} does not tell how many tasks it runs at a time, and each task may hold "
                f"max_mem; give the number, as in PrefectExecutor({name}(...), workers=8)"
            )
        return limit or 1

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({type(self.task_runner).__name__}, retries={self.retries}, "
            f"workers={self.workers}, threads={self.threads})"
        )

    def prepare_plan(self, specs: Iterable[CopySpec]) -> RechunkFlow:
        """Return a flow whose result is a `rechunker.types.Traffic`.

        The flow has one parameter, `retries`, with the meaning that it has in `execute_plan`.

        Parameters
        ----------
        specs
            Copy specs of the plan.
        """
        every = tuple(specs)
        return build(
            rounds(every),
            BatchRunner(self.retries, os.getpid() if self.shares_memory else None),
            workers=self.workers,
            task_runner=self.task_runner,
            title=f"rechunk {_title(every)}",
        )

    def execute_plan(
        self,
        plan: RechunkFlow,
        *,
        progress: Progress = None,
        retries: int | None = None,
        **kwargs: Any,
    ) -> Traffic:
        """Call the flow and return the traffic of all its tasks.

        If no Prefect API is configured, Prefect starts a temporary server; it gets three minutes to
        start.

        Parameters
        ----------
        plan
            Flow that `prepare_plan` returned.
        progress
            True for a progress bar, or a function that is called after each batch of tasks with the
            number of tasks done, the number of tasks in total, and the decoded bytes read and
            written so far. The flow run has its artifacts in any case.
        retries
            Number of times to retry a failed task; by default the executor's.
        **kwargs
            Options of `prefect.Flow.with_options` except `task_runner`: `flow_run_name`,
            `timeout_seconds`, `on_failure` and so on.

        Raises
        ------
        TypeError
            If there are other keyword arguments, or a `task_runner`: the plan was made for the task
            runner of the executor; or if `progress` is not a boolean or a function.
        ImportError
            If `progress` is True and tqdm is not installed.
        ValueError
            If `retries` is negative.
        RuntimeError
            If Prefect says that the flow run was cancelled, or has not been completed.
        Exception
            The error of a task that failed after all its retries.
        """
        _check_options(kwargs)
        check_numbers(retries=retries)
        parameters = {} if retries is None else {"retries": retries}
        with reporter(progress, plan.rounds) as report:
            with patient_start(), reporting_to(report):
                state: Any = plan.with_options(**kwargs)(**parameters, return_state=True)
            return completed(state)


def _checked(task_runner: TaskRunner[Any] | type[TaskRunner[Any]]) -> TaskRunner[Any]:
    made = task_runner() if isinstance(task_runner, type) else task_runner
    if not isinstance(made, TaskRunner):
        raise TypeError(
            "task_runner must be a task runner of Prefect such as "
            f"ThreadPoolTaskRunner(max_workers=4), got {task_runner!r}"
        )
    if isinstance(made, PrefectTaskRunner):
        raise TypeError(
            "task_runner must run tasks itself, got PrefectTaskRunner, which leaves them to worker "
            "processes that serve them, and no process serves the tasks of a plan; use "
            "ThreadPoolTaskRunner, ProcessPoolTaskRunner or DaskTaskRunner"
        )
    return made


def _check_options(options: Mapping[str, Any]) -> None:
    known = flow_options() - {"task_runner"}
    if "task_runner" in options:
        raise TypeError(
            "execute() takes no task_runner, since a plan is made for one task runner; give it "
            "earlier, as in rechunk(..., executor=PrefectExecutor(task_runner))"
        )
    unknown = {name: value for name, value in options.items() if name not in known}
    refuse_keywords("prefect", unknown, [*sorted(known), "progress", "retries"])


def _title(specs: Sequence[CopySpec]) -> str:
    """Return what a plan is called; without a title, the names of its first few arrays."""
    names = [spec.name for spec in specs if spec.name]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    arrays = f"{', '.join(names[:NAMED])}{more}"
    return next((spec.title for spec in specs if spec.title), arrays)
