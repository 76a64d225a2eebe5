"""The executor that needs nothing else: one task after another, each with several threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rechunker.running import BatchRunner, Progress, available_cores, check_numbers, reporter
from rechunker.types import CopySpec, Executor, Traffic, rounds

__all__ = ["PythonExecutor"]

Plan = Callable[..., Traffic]


class PythonExecutor(Executor[Plan]):
    """Run tasks in this process, one after another.

    One task at a time has all of `max_mem`, so its boxes are as large as they can be; several
    threads read, decode, encode and write its chunks. Codecs and copies let other threads run.

    Parameters
    ----------
    threads
        Chunks that are worked on at a time; by default one for each core that this process may
        use.
    retries
        How many times more a task is run after it has failed.

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
        """Return a function that does it all.

        Its arguments, `progress` and `retries`, are those of `execute_plan`.
        """
        stages, runner = rounds(specs), self._runner

        def plan(progress: Progress = None, retries: int | None = None) -> Traffic:
            chosen = runner if retries is None else BatchRunner(retries)
            total = Traffic()
            with reporter(progress, stages) as report:
                for together in stages:
                    for stage in together:
                        for traffic in chosen.iterate(stage, range(len(stage))):
                            total += traffic
                            report(traffic)
            return total

        return plan

    def execute_plan(
        self,
        plan: Plan,
        *,
        progress: Progress = None,
        retries: int | None = None,
        **kwargs: Any,
    ) -> Traffic:
        """Call the plan.

        Parameters
        ----------
        plan
            What `prepare_plan` returned.
        progress
            True for a progress bar, or a function that is called after every task with the
            number of tasks done, the number of tasks, and the (decoded) bytes read and written
            so far.
        retries
            How many times more a task is run after it has failed; by default as the executor was
            told.

        Raises
        ------
        TypeError
            If there are other keyword arguments.
        ValueError
            If `retries` is negative.
        """
        if kwargs:
            raise TypeError(
                f"the python executor takes no {', '.join(kwargs)}; execute() has progress and "
                "retries"
            )
        return plan(progress=progress, retries=retries)
