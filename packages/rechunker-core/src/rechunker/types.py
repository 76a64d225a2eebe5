"""The interface between Rechunker and its executors: copy specs, stages, traffic, `Executor`."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Generic, NoReturn, TypeVar

from rechunker.traffic import Changes, Traffic

__all__ = ["Changes", "CopySpec", "CopySpecExecutor", "Executor", "Stage", "Traffic", "rounds"]

Plan = TypeVar("Plan")


@dataclass(frozen=True)
class Stage:
    """A number of tasks that may run in any order, on any worker, and more than once.

    A stage is small however many tasks it has, and it can be pickled: send it to a worker together
    with a task number, or a range of task numbers, and call it there.

    Parameters
    ----------
    name
        Label for logs and displays, such as ``"air: read"``.
    tasks
        Number of tasks. Task numbers go from 0 to ``tasks - 1``.
    work
        Function that runs the tasks of a range one after another and yields the traffic of each.
    memory
        Peak memory of one task in bytes.
    nbytes
        Decoded bytes that all tasks together read and write.
    sharing
        Number of such tasks that one worker may run at the same time: together they hold no more
        than `max_mem`. Of tasks of several stages, the sum of ``1 / sharing`` may be 1. Each then
        has its part of the requests that one task may have in flight, for which
        `rechunker.running.run_shared` cares. It is more than 1 only where stores answer slowly and
        tasks are small; an executor need not make use of it.

    Examples
    --------
    >>> stage = Stage("nothing", 3, lambda tasks: (Traffic(tasks=1) for _ in tasks))
    >>> stage(0).tasks, stage(range(1, 3)).tasks
    (1, 2)
    """

    name: str
    tasks: int
    work: Callable[[range], Iterable[Traffic]]
    memory: int = 0
    nbytes: int = 0
    sharing: int = 1

    def __len__(self) -> int:
        return self.tasks

    def __call__(self, tasks: int | range) -> Traffic:
        """Run one task or a range of tasks, one after another, and return their total traffic.

        One call for a range is cheaper than one call per task, because its tasks share buffers.

        Parameters
        ----------
        tasks
            A task number or a range of task numbers.

        Returns
        -------
        Traffic
            Sum over the tasks.

        Raises
        ------
        IndexError
            If there is no task with such a number.
        """
        return Traffic.total(self.iterate(tasks))

    def iterate(self, tasks: int | range) -> Iterator[Traffic]:
        """Run one task or a range of tasks, and yield the traffic of each as soon as it is done.

        Parameters and errors are those of calling the stage.
        """
        chosen = range(tasks, tasks + 1) if isinstance(tasks, int) else tasks
        # The ends alone: `min` and `max` would walk a range, and `len` has a limit.
        if chosen and not all(0 <= end < self.tasks for end in (chosen[0], chosen[-1])):
            raise IndexError(
                f"task numbers of stage {self.name!r} must be in range({self.tasks}), got {tasks}"
            )
        work = iter(self.work(chosen))
        try:
            while True:
                began, cpu = time.perf_counter(), time.thread_time()
                traffic = next(work, None)
                if traffic is None:
                    return
                seconds, cpu_seconds = time.perf_counter() - began, time.thread_time() - cpu
                yield traffic.of_stage(self.name, seconds, cpu_seconds)
        finally:
            if isinstance(work, Generator):
                work.close()


@dataclass(frozen=True)
class CopySpec:
    """The stages that rechunk one array; all that an executor needs to know about it.

    Parameters
    ----------
    name
        Path of the array within the source, or the name of a target that is an array; for logs and
        displays. Empty for what comes before and after all arrays.
    stages
        The stages in order. A stage may start only when the previous stages *of all copy specs of
        the plan* are done; see `rounds`.
    title
        What the whole plan is called, such as "maps.zarr to series.zarr"; for logs and displays.
    target_id
        Some hexadecimal digits that differ from those of a plan for another place, where both have
        one title.
    """

    name: str
    stages: tuple[Stage, ...]
    title: str = ""
    target_id: str = ""


def rounds(specs: Iterable[CopySpec]) -> list[tuple[Stage, ...]]:
    """Group the stages of all copy specs into rounds: first stages, second stages, and so on.

    The stages of one round may run side by side. Between two rounds there is a barrier: no task of
    a round may start before all tasks of the previous round are done.

    Parameters
    ----------
    specs
        Copy specs; read once.

    Returns
    -------
    list of tuple of Stage
        The stages of each round. Stages without tasks and rounds without stages are omitted.

    Examples
    --------
    >>> read, write = Stage("read", 9, lambda _: ()), Stage("write", 4, lambda _: ())
    >>> once = Stage("copy", 1, lambda _: ())
    >>> [[stage.name for stage in stages] for stages in rounds(
    ...     [CopySpec("big", (read, write)), CopySpec("small", (once,))])]
    [['read', 'copy'], ['write']]
    """
    columns = zip_longest(*(spec.stages for spec in specs))
    together = (tuple(stage for stage in column if stage) for column in columns)
    return [stages for stages in together if stages]


class Executor(ABC, Generic[Plan]):
    """Abstract base class of executors: turn copy specs into a plan for an engine, and run it.

    The engine is the library or service that runs the tasks: Dask, Beam, Prefect, a thread pool.
    An executor guarantees that

    - no task runs before the plan is executed;
    - all tasks of a round have run to completion, at least once, before the first task of the next
      round starts (see `rounds`);
    - an error in a task reaches the caller of `execute_plan` with its message, and no later round
      starts;
    - nothing of a plan runs once `execute_plan` has returned or raised, also if it raises
      `KeyboardInterrupt`: tasks that have not begun are cancelled, and those that run are waited
      for. An engine that cannot promise this, such as a cluster that was lost, relies on the claim
      that a run has on its target;
    - no more than `workers` tasks run at the same time;
    - `execute(retries=...)` and `execute(progress=...)` are obeyed or refused; whoever asks for
      progress is told in the process that called, by one thread at a time, and to the end;
    - keyword arguments of `rechunker.Rechunked.execute` reach the engine, and unknown ones raise
      an error.

    An executor may run the tasks of a round in any order, in threads, in processes or on other
    machines, run several tasks in one call (see `rechunker.running`), retry tasks, and run a task
    more than once, even at the same time; it then counts the task once, and waits for all its runs
    before the next round. Starting and finishing a plan, such as publishing the
    target, are stages with one task like any other, so a plan is complete even if users run it
    with the engine's own means instead of `execute_plan`.

    Attributes
    ----------
    shares_memory
        Whether tasks always run in the process that made the plan. If False, `rechunker.rechunk`
        refuses stores that live in the memory of one process, such as a dict or a
        `zarr.storage.MemoryStore`.
    returns_changes
        Whether `execute_plan` returns the `changes` in the traffic of all tasks. Without them,
        tasks in other processes cannot write to sessions that are committed, such as Icechunk's.
    takes_futures
        Whether tasks can read Dask arrays whose blocks are futures on a Dask cluster.
    workers
        Number of tasks that run at the same time, at most. The planner optimizes for this number;
        each of these tasks may use all of `max_mem`. If the engine decides later how many run, the
        number to expect.
    threads
        Number of reads, or of writes, that one task may have in flight at the same time. They share
        the task's `max_mem`.
    overhead
        Seconds that the engine takes for each call, one call after the other, such as the scheduler
        of a cluster. The planner makes no more tasks, and `rechunker.running.batches` no more
        calls, than are worth it.

    Examples
    --------
    >>> class Loop(Executor[list[tuple[Stage, ...]]]):
    ...     def prepare_plan(self, specs):
    ...         return rounds(specs)
    ...     def execute_plan(self, plan):
    ...         for stages in plan:
    ...             for stage in stages:
    ...                 stage(range(len(stage)))
    """

    shares_memory: bool = False
    returns_changes: bool = False
    takes_futures: bool = False
    workers: int = 1
    threads: int = 1
    overhead: float = 0.0

    @abstractmethod
    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        """Turn copy specs into a plan, without running or writing anything.

        Parameters
        ----------
        specs
            One copy spec per array, and one that prepares and publishes the target; an iterable
            that may be read only once.

        Returns
        -------
        Plan
            An object of the executor's choice: a function, a graph, a flow. It becomes
            `rechunker.Rechunked.plan`.
        """

    def renewed_plan(self, plan: Plan) -> Plan:
        """Return a plan for its user, who may give it to the engine by the engine's own means.

        An engine that knows plans by their keys, and answers with what it has done before, needs
        new keys each time.

        Parameters
        ----------
        plan
            The plan that `prepare_plan` returned, which is the default.
        """
        return plan

    @abstractmethod
    def execute_plan(self, plan: Plan, **kwargs: Any) -> Any:
        """Run a plan to completion.

        A plan may be executed again, in particular after a failure.

        Parameters
        ----------
        plan
            The plan that `prepare_plan` returned.
        **kwargs
            Keyword arguments of `rechunker.Rechunked.execute`, for the engine.

        Returns
        -------
        Traffic or None
            Total traffic of all tasks; None if the executor does not count it.

        Raises
        ------
        TypeError
            If the engine does not know a keyword argument.
        Exception
            The error of a task that failed.
        """


CopySpecExecutor = Executor

# What Rechunker 0.5 had here for its executors.
_FORMER = ("ArrayProxy", "MultiStagePipeline", "ParallelPipelines", "Pipeline", "PipelineExecutor")


def __getattr__(name: str) -> NoReturn:
    if name not in _FORMER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # An AttributeError would become an ImportError without this message.
    raise ImportError(
        f"{__name__}.{name} is gone since Rechunker 1.0: an executor gets copy specs "
        f"({__name__}.CopySpec), whose stages are functions of an integer; see "
        "docs/writing-an-executor.md",
        name=f"{__name__}.{name}",
    )
