"""Progress of a pipeline: batches of this process tell of themselves, others by Beam's counters."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import copy

from apache_beam.metrics import MetricsFilter
from apache_beam.metrics.metric import MetricResults
from apache_beam.runners.runner import PipelineResult, PipelineState

from rechunker.running import Execution, Reporter
from rechunker.types import Traffic

__all__ = ["Listener", "counts_of", "listening", "tell"]

# Seconds between two looks at the counters of a pipeline.
PAUSE = 1.0

# Listeners in this process, by the key of the execution.
_listeners: dict[str, Listener] = {}


class Listener:
    """Reports the batches of one execution that are done.

    Batches run in threads of the runner, which would hide an error in the user's function: it is
    kept, and the execution stopped.

    Parameters
    ----------
    execution
        The execution.
    report
        What shows the progress.

    Attributes
    ----------
    error
        What `report` has raised; None if nothing.
    """

    def __init__(self, execution: Execution, report: Reporter) -> None:
        self.error: BaseException | None = None
        self._execution = execution
        self._report = report
        self._seen: set[tuple[str, int]] = set()
        self._lock = threading.Lock()

    def hear(self, stage: str, first: int, traffic: Traffic) -> None:
        """Report a batch, unless it was run before: a runner may run a bundle again.

        Parameters
        ----------
        stage
            Name of the stage.
        first
            Number of its first task.
        traffic
            Traffic of its tasks.
        """
        with self._lock, self._kept():
            if self.error is None and (stage, first) not in self._seen:
                self._seen.add((stage, first))
                self._report(traffic)

    def count(self, counts: Mapping[str, int]) -> None:
        """Report what the counters say of all tasks together.

        Parameters
        ----------
        counts
            Counts by name.
        """
        tasks = counts.get("tasks", 0) + counts.get("known", 0)
        with self._lock, self._kept():
            nbytes = counts.get("bytes_read", 0) + counts.get("bytes_written", 0)
            if self.error is None:
                self._report.reach(tasks, nbytes)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # noqa: BLE001, the caller of execute() gets it
            self.error = error
            self._execution.stop()

    @contextmanager
    def looking(self, result: PipelineResult, namespace: str) -> Iterator[None]:
        """Look at the counters of a pipeline from time to time within the context.

        Parameters
        ----------
        result
            Result of the pipeline.
        namespace
            Namespace of the counters.
        """
        left = threading.Event()

        def look() -> None:
            while not left.wait(PAUSE):
                try:
                    # A copy: that of portable runners keeps the counts that it gets first (2.77).
                    counts = counts_of(copy(result), namespace)
                except NotImplementedError:
                    return
                except Exception:  # noqa: BLE001, the pipeline goes on, and so it may say more
                    continue
                self.count(counts)
                if self.error is not None:
                    with suppress(Exception):
                        result.cancel()
                    return

        thread = threading.Thread(target=look, daemon=True)
        if not PipelineState.is_terminal(result.state):
            thread.start()
        try:
            yield
        finally:
            left.set()
            if thread.is_alive():
                thread.join()


@contextmanager
def listening(execution: Execution, report: Reporter) -> Iterator[Listener | None]:
    """Report the batches of an execution within the context, if anybody wants to know.

    Parameters
    ----------
    execution
        The execution.
    report
        What shows the progress.

    Raises
    ------
    BaseException
        What `report` raised.
    """
    if not report.wanted:
        yield None
        return
    listener = _listeners[execution.key] = Listener(execution, report)
    try:
        yield listener
    except Exception:
        if listener.error is not None:
            raise listener.error from None
        raise
    finally:
        del _listeners[execution.key]
    if listener.error is not None:
        raise listener.error


def tell(execution: Execution | None, stage: str, first: int, traffic: Traffic) -> None:
    """Tell that a batch is done, if somebody in this process listens.

    Parameters
    ----------
    execution
        The execution that it belongs to.
    stage, first, traffic
        As for `Listener.hear`.
    """
    listener = None if execution is None else _listeners.get(execution.key)
    if listener is not None:
        listener.hear(stage, first, traffic)


def counts_of(result: PipelineResult, namespace: str) -> dict[str, int]:
    """Return the counters of a namespace, over all steps.

    Parameters
    ----------
    result
        Result of a pipeline.
    namespace
        Namespace of the counters.
    """
    found = result.metrics().query(MetricsFilter().with_namespace(namespace))
    counts: dict[str, int] = {}
    for counter in found[MetricResults.COUNTERS]:
        # `result` is the committed count, or the attempted one with runners that report no
        # committed counts. Portable runners report no count, or None, where it is zero.
        name = counter.key.metric.name
        counts[name] = counts.get(name, 0) + (counter.result or 0)
    return counts
