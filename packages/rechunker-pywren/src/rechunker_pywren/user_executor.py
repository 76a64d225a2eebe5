"""Calls on a function executor that is known by its published methods alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rechunker.running import BATCHES_PER_WORKER, batches
from rechunker.types import Stage, Traffic
from rechunker_pywren.calls import Call, LostWorkerError, Run, in_parts, run_batch

__all__ = ["GivenEngine", "count_workers"]

# What a call takes where it has a worker started, which has to import Zarr.
CALL_SECONDS = 1.0
# Services have time limits, which longer calls exceed.
MOST = 2000


@dataclass(frozen=True)
class GivenEngine:
    """Runs calls with the `map` and `get_result` of pywren and lithops.

    Parameters
    ----------
    function_executor
        A function executor, which is left open.
    """

    function_executor: Any

    def split(self, stage: Stage, workers: int) -> tuple[range, ...]:
        """Return ranges of tasks: one for each worker, if that is not too little or too much."""
        # `batches` makes several for each worker, so that none waits long for the last one. A
        # service starts as many calls at once as it may, and one more for each would cost more.
        fewer = -(-workers // BATCHES_PER_WORKER)
        return batches(stage, overhead=CALL_SECONDS, workers=fewer, most=MOST)

    @contextmanager
    def start(self, retries: int) -> Iterator[Run]:
        """Give what runs calls; calls that a service has lost are its own matter."""
        with _kept_excepthook():
            yield self._run

    def _run(self, calls: Sequence[Call]) -> list[Traffic]:
        futures: list[Any] = []
        for part in in_parts(calls):
            arguments = [call.arguments for call in part]
            # None: no module is sent along. Stages need Zarr and more, which must be there.
            futures += self.function_executor.map(run_batch, arguments, include_modules=None)
        results: list[Traffic] = self.function_executor.get_result(futures)
        # Pywren ends so when the user interrupts it.
        if len(results) != len(calls):
            raise LostWorkerError(
                f"the function executor was interrupted, or has lost calls: "
                f"{len(results)} of {len(calls)} came back"
            )
        return results


@contextmanager
def _kept_excepthook() -> Iterator[None]:
    """Put back what pywren replaces when a call has failed."""
    hook = sys.excepthook
    try:
        yield
    finally:
        sys.excepthook = hook


def count_workers(function_executor: Any) -> int | None:
    """Return how many calls a function executor runs at a time; None if it does not say.

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
