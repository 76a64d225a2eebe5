"""`PywrenExecutor`, whose plans are functions that run tasks with pywren or lithops."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable
from typing import Any

from rechunker.running import Progress, available_cores, check_numbers, refuse_keywords
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds
from rechunker_pywren.calls import Engine
from rechunker_pywren.child_process import ChildProcessEngine
from rechunker_pywren.local_calls import CALL_SECONDS, LocalExecutorEngine, is_local
from rechunker_pywren.plans import Batches, Plan
from rechunker_pywren.user_executor import UserExecutorEngine, count_workers

__all__ = ["PywrenExecutor"]


class PywrenExecutor(Executor[Plan]):
    """Run tasks as functions that pywren or lithops calls.

    A plan is a function without required arguments: ``plan()`` does the same work as
    `execute_plan`.

    Parameters
    ----------
    pywren_function_executor
        A `FunctionExecutor` of pywren or lithops, or an object with the same methods `map` and
        `get_result`. It is used for all plans and never closed. By default, each execution of a
        plan starts a child process that makes a local executor of pywren, and ends it afterwards;
        no configuration of pywren is read.
    retries
        Number of times to retry a failed task. With the default local executor, also the number of
        times to run a call again when its worker process has died.
    workers
        Number of tasks that run at a time; *each* may hold `max_mem`. By default the number of
        cores that this process may use. With a function executor, the number that plans are made
        for, by default taken from its configuration.
    threads
        Maximum number of reads or writes that one task has in flight. Values above 1 help with
        remote stores.

    Raises
    ------
    TypeError
        If `pywren_function_executor` does not have the methods `map` and `get_result`.
    ValueError
        If `retries` is negative, or `workers` or `threads` is less than 1.
    OSError
        If no function executor is given on a system that cannot fork processes.

    Examples
    --------
    >>> PywrenExecutor(workers=4).prepare_plan([])().tasks
    0
    """

    overhead = CALL_SECONDS

    def __init__(
        self,
        pywren_function_executor: Any = None,
        *,
        retries: int = 0,
        workers: int | None = None,
        threads: int = 1,
    ) -> None:
        check_numbers(retries=retries, workers=workers, threads=threads)
        _check(pywren_function_executor)
        self.pywren_function_executor = pywren_function_executor
        self.retries = retries
        self.workers = workers or count_workers(pywren_function_executor) or available_cores()
        self.threads = threads

    def __repr__(self) -> str:
        chosen = self.pywren_function_executor
        name = "" if chosen is None else f"{type(chosen).__name__}(), "
        return f"{type(self).__name__}({name}retries={self.retries}, workers={self.workers})"

    def __getstate__(self) -> dict[str, Any]:
        if self.pywren_function_executor is not None:
            raise TypeError(
                f"{self!r} cannot be pickled, as its function executor belongs to this process; "
                'use executor="pywren" for what is executed elsewhere, or call rechunk() there'
            )
        return vars(self)

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        """Return a function that runs all tasks and returns a `rechunker.types.Traffic`.

        The function has two optional arguments, `retries` and `progress`, with the meaning that
        they have in `execute_plan`.

        Parameters
        ----------
        specs
            Copy specs of the plan.
        """
        engine = self._engine()

        def split(stage: Stage) -> Batches:
            ranges = engine.split(stage, self.workers)
            return Batches(stage.name, pickle.dumps(stage), ranges, stage.nbytes)

        split_rounds = tuple(tuple(map(split, stages)) for stages in rounds(specs))
        return Plan(engine, split_rounds, self.retries)

    def execute_plan(
        self,
        plan: Plan,
        *,
        progress: Progress = None,
        retries: int | None = None,
        **kwargs: Any,
    ) -> Traffic:
        """Call the plan and return the traffic of all its tasks.

        Parameters
        ----------
        plan
            Plan that `prepare_plan` returned.
        progress
            True for a progress bar, or a function that is called after each batch of tasks with the
            number of tasks done, the number of tasks in total, and the decoded bytes read and
            written so far. With a function executor of a service it is called when all batches of
            a round are done, as a service tells no earlier.
        retries
            Number of times to retry a failed task; by default the executor's.

        Raises
        ------
        TypeError
            If there are other keyword arguments, or `progress` is not a boolean or a function.
        ImportError
            If `progress` is True and tqdm is not installed.
        ValueError
            If `retries` is negative.
        LostWorkerError
            If a worker process of a local executor has died, or a function executor has lost calls.
        Exception
            The error of a task that failed after all its retries.
        """
        refuse_keywords("pywren", kwargs, ("progress", "retries"))
        return plan(retries, progress)

    def _engine(self) -> Engine:
        chosen = self.pywren_function_executor
        if chosen is None:
            return ChildProcessEngine(self.workers)
        return LocalExecutorEngine(chosen) if is_local(chosen) else UserExecutorEngine(chosen)


def _check(function_executor: Any) -> None:
    if function_executor is None:
        if os.name != "posix":
            raise OSError(
                f"pywren's local executor needs an operating system that can fork processes, got "
                f"os.name={os.name!r}; give a function executor of a service, or use another "
                "executor of rechunker"
            )
        return
    absent = [n for n in ("map", "get_result") if not callable(getattr(function_executor, n, None))]
    if absent or isinstance(function_executor, type):
        raise TypeError(
            "pywren_function_executor must be a FunctionExecutor of pywren or lithops, or an "
            f"object with the methods map and get_result, got {function_executor!r}"
        )
