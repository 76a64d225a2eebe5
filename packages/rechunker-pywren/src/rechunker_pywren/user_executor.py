"""Engine for a function executor of the user, which uses its public methods only."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rechunker.running import BATCHES_PER_WORKER, batches
from rechunker.types import Stage, Traffic
from rechunker_pywren.calls import Call, LostWorkerError, Run, in_parts, try_batch

__all__ = ["UserExecutorEngine", "count_workers"]

# Overhead of a call that starts a new worker, which has to import Zarr.
CALL_SECONDS = 1.0
# Maximum number of calls for a stage. Fewer and longer calls might exceed the time limit of a
# service.
MOST = 2000


@dataclass(frozen=True)
class UserExecutorEngine:
    """Engine that runs calls with the methods `map` and `get_result` of pywren and lithops.

    Parameters
    ----------
    function_executor
        Function executor of pywren or lithops, or an object with the same two methods. It stays
        open.
    """

    function_executor: Any

    def split(self, stage: Stage, workers: int) -> tuple[range, ...]:
        """Split the tasks of a stage into batches: one per worker, or more for long stages.

        Parameters
        ----------
        stage
            The stage.
        workers
            Number of calls that are expected to run at a time.
        """
        # `batches` makes eight batches per worker, so that no worker idles long at the end of a
        # round. A service starts as many workers at once as it may, so more calls only cost more.
        fewer = -(-workers // BATCHES_PER_WORKER)
        return batches(stage, overhead=CALL_SECONDS, workers=fewer, most=MOST)

    @contextmanager
    def start(self, retries: int) -> Iterator[Run]:
        """Yield a function that runs calls.

        Parameters
        ----------
        retries
            Not used: the service decides about calls that it has lost.
        """
        with _kept_excepthook():
            yield self._run

    def _run(self, calls: Sequence[Call]) -> Generator[Traffic, None, None]:
        futures: list[Any] = []
        for part in in_parts(calls):
            arguments = [call.arguments for call in part]
            # None: send no modules. Workers need Zarr and more, which must be installed there.
            futures += self.function_executor.map(try_batch, arguments, include_modules=None)
        # No call raises, so this returns when all of them have ended.
        results: list[Traffic | Exception] = self.function_executor.get_result(futures)
        # Pywren returns fewer results when the user interrupts it.
        if len(results) != len(calls):
            raise LostWorkerError(
                f"the function executor must return {len(calls)} results, got {len(results)}: it "
                "was interrupted or has lost calls; call execute() again"
            )
        for outcome in results:
            if isinstance(outcome, Exception):
                raise outcome
            yield outcome


@contextmanager
def _kept_excepthook() -> Iterator[None]:
    """Restore `sys.excepthook`, which pywren replaces when a call has failed."""
    hook = sys.excepthook
    try:
        yield
    finally:
        sys.excepthook = hook


def count_workers(function_executor: Any) -> int | None:
    """Return the number of calls that a function executor runs at a time.

    Parameters
    ----------
    function_executor
        Function executor of pywren or lithops, or any other object.

    Returns
    -------
    int or None
        Number in its configuration; None if that has none.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> count_workers(SimpleNamespace(config={"pywren": {"workers": 1200}}))
    1200
    >>> lambdas = {"max_workers": 100, "worker_processes": 2}
    >>> count_workers(SimpleNamespace(config={"lithops": {"backend": "aws"}, "aws": lambdas}))
    200
    """
    config: Mapping[str, Any] = getattr(function_executor, "config", {})
    if "lithops" in config:
        backend = config.get(config["lithops"].get("backend"), {})
        numbers = [backend.get("max_workers"), backend.get("worker_processes", 1)]
    else:
        numbers = [config.get("pywren", {}).get("workers"), 1]
    if not all(isinstance(number, int) for number in numbers):
        return None
    return int(numbers[0] * numbers[1])
