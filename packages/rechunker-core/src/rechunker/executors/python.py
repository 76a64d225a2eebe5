"""The "python" executor: runs tasks in this process, one after another, with several threads."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from rechunker.running import (
    BatchRunner,
    Progress,
    available_cores,
    check_numbers,
    refuse_keywords,
    reporter,
    run_shared,
    spare_memory,
)
from rechunker.types import CopySpec, Executor, Stage, Traffic, rounds

__all__ = ["PythonExecutor"]


@dataclass(frozen=True)
class Plan:
    """A plan that runs all stages, one after another, when it is called.

    Parameters
    ----------
    rounds
        Rounds in order, each a sequence of stages.
    runner
        Runs the tasks, and retries those that fail.
    """

    rounds: Sequence[Sequence[Stage]] = field(repr=False)  # a store may show its credentials
    runner: BatchRunner

    def __call__(self, progress: Progress = None, retries: int | None = None) -> Traffic:
        """Run the plan and return the traffic of all its tasks.

        Parameters
        ----------
        progress, retries
            As for `PythonExecutor.execute_plan`.
        """
        chosen = self.runner if retries is None else BatchRunner(retries)
        with reporter(progress, self.rounds) as report:

            def done() -> Generator[Traffic, None, None]:
                for tasks in chain.from_iterable(_each(part, chosen) for part in self.rounds):
                    # Closed, so that an error in `report` ends the threads of a task as well.
                    with closing(tasks):
                        for traffic in tasks:
                            report(traffic)
                            yield traffic

            # The box of one stage is not mapped, and cleared, again for the next.
            with spare_memory(), closing(done()) as parts:
                return Traffic.total(parts)


class PythonExecutor(Executor[Plan]):
    """Run tasks in this process, one after another.

    The single running task may use all of `max_mem`, so boxes are as large as possible. Several
    threads read, decode, encode and write its chunks; codecs and copies release the GIL. Where
    stores answer slowly, small tasks run at the same time, and together take what one task may.

    Parameters
    ----------
    threads
        Number of threads, that is of chunks processed at the same time. By default the number of
        cores that this process may use.
    retries
        Number of times to retry a failed task.

    Raises
    ------
    ValueError
        If `threads` is less than 1 or `retries` is negative.

    Examples
    --------
    >>> PythonExecutor(threads=2).prepare_plan([])()
    Traffic(tasks=0, gets=0, puts=0, bytes_read=0, bytes_written=0, ...)
    """

    shares_memory = True

    def __init__(self, threads: int | None = None, *, retries: int = 0) -> None:
        check_numbers(retries=retries, threads=threads)
        self.threads = threads or available_cores()
        self._runner = BatchRunner(retries)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(threads={self.threads}, retries={self._runner.retries})"

    def prepare_plan(self, specs: Iterable[CopySpec]) -> Plan:
        """Return a function that runs all stages.

        Its parameters `progress` and `retries` are those of `execute_plan`, and it returns the
        total traffic.
        """
        return Plan(rounds(specs), self._runner)

    def execute_plan(
        self,
        plan: Plan,
        *,
        progress: Progress = None,
        retries: int | None = None,
        **kwargs: Any,
    ) -> Traffic:
        """Run a plan to completion.

        Parameters
        ----------
        plan
            The function that `prepare_plan` returned.
        progress
            True for a progress bar, or a function that is called after each task with the number
            of tasks done, the number of tasks in total, and the decoded bytes read and written so
            far.
        retries
            Number of times to retry a failed task; by default the executor's own `retries`.
        **kwargs
            Not allowed.

        Returns
        -------
        Traffic
            Total traffic of all tasks.

        Raises
        ------
        TypeError
            If there are other keyword arguments.
        ValueError
            If `retries` is negative.
        ImportError
            If `progress` is True and tqdm is not installed.
        """
        refuse_keywords("python", kwargs, ("progress", "retries"))
        return plan(progress=progress, retries=retries)


def _each(stages: Sequence[Stage], runner: BatchRunner) -> Iterator[Generator[Traffic, None, None]]:
    """Yield the tasks of a round that may run one after another, and those that share a worker."""
    for stage in stages:
        if stage.sharing == 1:
            yield runner.iterate(stage, range(len(stage)))
    shared = [stage for stage in stages if stage.sharing > 1]
    if shared:
        yield run_shared(shared, runner)
