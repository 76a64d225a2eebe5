"""Sharing: small tasks run at the same time in one worker, and together take what one task may."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue

from rechunker.running.executions import Execution
from rechunker.running.retries import BatchRunner
from rechunker.scratch import drop_spare
from rechunker.thread_context import sharing, until
from rechunker.types import Stage, Traffic

__all__ = ["run_shared"]

# Parts of a worker; a task takes at least one of them.
PARTS = 16


def run_shared(stages: Iterable[Stage], runner: BatchRunner) -> Generator[Traffic, None, None]:
    """Run the tasks of stages of one round, several at a time where `Stage.sharing` allows it.

    Each has its part of the requests that one task may have in flight. The last ones have more.

    Parameters
    ----------
    stages
        The stages.
    runner
        Runs tasks of one stage, with its retries.

    Yields
    ------
    Traffic
        Of each task as soon as it is done, in any order.

    Raises
    ------
    Exception
        The first error of a task, once no other task runs.
    """
    drop_spare()  # these tasks run in other threads, and take all that one task may
    execution = Execution()
    runner, done = replace(runner, execution=execution), SimpleQueue[Traffic | _End]()
    waiting, free = deque(_ranges(stages)), PARTS

    def run(stage: Stage, tasks: range, parts: int) -> None:
        def share() -> float:
            """Return the part of a task, which grows when no other task waits for it."""
            return parts / (PARTS if waiting else max(parts, PARTS - free))

        error: BaseException | None = None
        try:
            stopped = until(lambda: execution.is_stopped)
            with execution.running(), stopped, sharing(share):
                for traffic in runner.iterate(stage, tasks):
                    done.put(traffic)
        except BaseException as caught:  # noqa: BLE001 - raised where the tasks are waited for
            error = caught
        done.put(_End(parts, error))

    with ThreadPoolExecutor(PARTS) as pool, execution.ended():
        while waiting or free < PARTS:
            while waiting and waiting[0][2] <= free:
                free -= waiting[0][2]
                pool.submit(run, *waiting.popleft())
            found = done.get()
            if isinstance(found, Traffic):
                yield found
                continue
            free += found.parts
            if found.error is not None:
                raise found.error


class _End:
    """The end of some tasks: the parts of the worker that they took, and their error."""

    def __init__(self, parts: int, error: BaseException | None) -> None:
        self.parts, self.error = parts, error


def _ranges(stages: Iterable[Stage]) -> Iterator[tuple[Stage, range, int]]:
    """Yield ranges of tasks that run one after another, and the parts of a worker they take."""
    for stage in stages:
        number = min(stage.sharing, stage.tasks, PARTS)
        parts = -(-PARTS // min(stage.sharing, PARTS))
        for i in range(number):
            yield stage, range(i * len(stage) // number, (i + 1) * len(stage) // number), parts
