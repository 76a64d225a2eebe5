"""The contract between Rechunker and the executors that run its plans."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Generic, TypeVar

__all__ = ["CopySpec", "CopySpecExecutor", "Executor", "Stage", "Traffic", "rounds"]

Plan = TypeVar("Plan")


@dataclass(frozen=True)
class Traffic:
    """What tasks did: the work that was counted while it was done.

    Parameters
    ----------
    tasks
        Number of tasks.
    gets, puts
        Objects, or ranges of bytes within one, read from and written to stores.
    bytes_read, bytes_written
        Decoded bytes of the elements that were read and written.
    stored_read, stored_written
        Bytes that went through the stores, as they are stored (encoded).
    empty
        Target chunks (or shards) that hold the fill value alone and so were left out.
    """

    tasks: int = 0
    gets: int = 0
    puts: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    stored_read: int = 0
    stored_written: int = 0
    empty: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.tasks + other.tasks,
            self.gets + other.gets,
            self.puts + other.puts,
            self.bytes_read + other.bytes_read,
            self.bytes_written + other.bytes_written,
            self.stored_read + other.stored_read,
            self.stored_written + other.stored_written,
            self.empty + other.empty,
        )


@dataclass(frozen=True)
class Stage:
    """Tasks that may run in any order, anywhere, any number of times.

    A stage is small whatever the number of its tasks, and it pickles: send it to a worker along
    with an integer, or a range of integers, and call it there.

    Parameters
    ----------
    name
        What the stage does, for people: ``"air: read"``.
    tasks
        Number of tasks. They are addressed by the integers from 0 to ``tasks - 1``.
    work
        Runs the tasks of a range, one after another, and yields what each of them did.
    memory
        Bytes that one task holds at most.
    nbytes
        Decoded bytes that all tasks together read and write.

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

    def __len__(self) -> int:
        return self.tasks

    def __call__(self, tasks: int | range) -> Traffic:
        """Run one task, or several in a row, and return what they did.

        Tasks of one call share their buffers, so a range is cheaper than its integers one by one.
        """
        return sum(self.iterate(tasks), Traffic())

    def iterate(self, tasks: int | range) -> Iterator[Traffic]:
        """Run one task, or several in a row; yield what each did as soon as it is done."""
        chosen = range(tasks, tasks + 1) if isinstance(tasks, int) else tasks
        if len(chosen) and not (min(chosen) >= 0 and max(chosen) < self.tasks):
            raise IndexError(f"stage {self.name!r} has tasks 0 to {self.tasks - 1}, not {tasks}")
        yield from self.work(chosen)


@dataclass(frozen=True)
class CopySpec:
    """All that an executor needs to rechunk one array: its stages, in order.

    Parameters
    ----------
    name
        Path of the array within the source, for people.
    stages
        A stage starts when the one before it, *and those of the same number in every other spec
        of the same plan*, are done; see `rounds`.
    """

    name: str
    stages: tuple[Stage, ...]


def rounds(specs: Iterable[CopySpec]) -> list[tuple[Stage, ...]]:
    """Return the stages of all specs, put together by their number.

    Stages of one round may run side by side; between two rounds there is a barrier: no task of a
    round starts before the last task of the one before it is done.

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
    """Turn copy specs into a plan of some engine's own, and run it.

    An executor guarantees that

    - every task of a round runs to its end at least once before the first task of the next round
      starts (see `rounds`), and nothing runs before the plan is executed;
    - an error in a task reaches the caller of `execute_plan`, with what it says, and no later
      round starts;
    - keyword arguments of `rechunker.Rechunked.execute` reach the engine, and those that it does
      not know are an error.

    It may run tasks in any order, in threads, processes or on other machines, put several into one
    call (see `rechunker.running`), try them again, and run them several times, also at the same
    time. What starts and finishes a plan, as the publishing of the target, is done by stages of
    one task like any other: a plan that people run without `execute_plan` is complete.

    Attributes
    ----------
    shares_memory
        Whether tasks always run in the process that made the plan. Stores whose bytes live in one
        process (dictionaries, `zarr.storage.MemoryStore`) are refused for those that do not.
    takes_futures
        Whether blocks of a dask array that are futures on a cluster can be read.
    workers
        How many tasks are expected to run at a time. Plans are made for that number, and each of
        these tasks may hold all of `max_mem`.
    threads
        How many reads or writes of one task may be in flight at a time, within its `max_mem`.

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
    takes_futures: bool = False
    workers: int = 1
    threads: int = 1

    @abstractmethod
    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        """Turn copy specs into a plan, without running or writing anything.

        Parameters
        ----------
        specs
            One spec per array, and one that starts and finishes the whole; any iterable, to be
            read once.
        """

    @abstractmethod
    def execute_plan(self, plan: Plan, **kwargs: Any) -> Any:
        """Run a plan to its end.

        Parameters
        ----------
        plan
            What `prepare_plan` returned.
        **kwargs
            What was given to `rechunker.Rechunked.execute`, for the engine. Plans are executed
            again after a failure.

        Returns
        -------
        Traffic or None
            What the tasks did, where the executor counts it.
        """


CopySpecExecutor = Executor
