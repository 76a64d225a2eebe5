"""The executor whose plans are functions that call pywren."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable
from typing import Any

from rechunker.running import available_cores, check_numbers
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds
from rechunker_pywren.calls import Engine
from rechunker_pywren.given import GivenEngine, count_workers
from rechunker_pywren.hosted import HostedEngine
from rechunker_pywren.local import LocalEngine, is_local
from rechunker_pywren.plans import Batches, Plan

__all__ = ["PywrenExecutor"]


class PywrenExecutor(Executor[Plan]):
    """Run tasks as functions that pywren calls, or lithops.

    A plan is a function of no arguments that does it all: ``plan()`` is what `execute_plan` does.

    Parameters
    ----------
    pywren_function_executor
        What calls the functions: a `FunctionExecutor` of pywren or lithops, or an object with the
        same `map` and `get_result`. It is used for all plans and never closed. By default, a
        local executor of pywren is made for each execution of a plan, in a new process, and ended
        after it; no configuration of pywren is read.
    retries
        How many times more a task is run after it has failed. With the default local executor,
        this holds for calls that were lost with a worker process as well.
    workers
        How many tasks run at a time, *each* of which may hold `max_mem`. By default as many as
        this process may use cores; with a function executor, what its configuration says. There
        the number only tells what to plan for.
    threads
        How many reads or writes of one task may be in flight at a time. More than one is of use
        where stores are far away.

    Raises
    ------
    TypeError
        If `pywren_function_executor` is something else.
    ValueError
        If one of the numbers is too small.
    OSError
        If there is no function executor, on a system that cannot fork processes.

    Examples
    --------
    >>> PywrenExecutor(workers=4).prepare_plan([])().tasks
    0
    """

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
        given = self.pywren_function_executor
        name = "" if given is None else f"{type(given).__name__}(), "
        return f"{type(self).__name__}({name}retries={self.retries}, workers={self.workers})"

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        """Return a function that does it all, and returns what was done.

        Its one argument, `retries`, is that of `execute_plan`.
        """
        engine = self._engine()

        def split(stage: Stage) -> Batches:
            ranges = engine.split(stage, self.workers)
            return Batches(stage.name, pickle.dumps(stage), ranges)

        split_rounds = tuple(tuple(map(split, stages)) for stages in rounds(specs))
        return Plan(engine, split_rounds, self.retries)

    def execute_plan(self, plan: Plan, *, retries: int | None = None, **kwargs: Any) -> Traffic:
        """Call the plan.

        Parameters
        ----------
        plan
            What `prepare_plan` returned.
        retries
            How many times more a task is run after it has failed; by default as the executor was
            told.

        Raises
        ------
        TypeError
            If there are other keyword arguments.
        LostWorkerError
            If a worker process of a local executor has died.
        """
        if kwargs:
            raise TypeError(
                f"the pywren executor takes no {', '.join(kwargs)}; execute() has retries"
            )
        return plan(retries)

    def _engine(self) -> Engine:
        given = self.pywren_function_executor
        if given is None:
            return HostedEngine(self.workers)
        return LocalEngine(given) if is_local(given) else GivenEngine(given)


def _check(function_executor: Any) -> None:
    if function_executor is None:
        if os.name != "posix":
            raise OSError(
                "pywren's local executor needs processes that can be forked: give a function "
                "executor of another kind, or use another executor of rechunker"
            )
        return
    absent = [n for n in ("map", "get_result") if not callable(getattr(function_executor, n, None))]
    if absent or isinstance(function_executor, type):
        raise TypeError(
            f"pywren_function_executor must be a FunctionExecutor, an object with the methods map "
            f"and get_result, got {function_executor!r}"
        )
