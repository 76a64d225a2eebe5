"""Waiting for a pipeline to end, and reading the traffic from its result."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress

from apache_beam.runners.runner import PipelineResult, PipelineState

from rechunker.running import Execution
from rechunker.types import Traffic
from rechunker_beam import dask_runner
from rechunker_beam.progress import Listener, counts_of
from rechunker_beam.steps import NAMESPACE, TOTAL

__all__ = ["await_result", "explained"]

# Beam's message when one of its worker processes on this machine has died.
LOST = "Channel closed prematurely"
ADVICE = (
    "A worker process of Beam has died, perhaps killed by the system because memory ran out. Each "
    "of the direct_num_workers processes may hold max_mem: reduce one of the two and call "
    "execute() again."
)


@contextmanager
def explained() -> Iterator[None]:
    """Add a note to the error that Beam raises when a worker process has died."""
    try:
        yield
    except RuntimeError as error:
        if LOST in str(error):
            error.add_note(ADVICE)
        raise


def await_result(
    result: PipelineResult, execution: Execution, listener: Listener | None = None
) -> Traffic | None:
    """Wait until a pipeline that is one plan ends, and return the traffic of its tasks.

    Parameters
    ----------
    result
        Result that `apache_beam.Pipeline.run` returned.
    execution
        The execution that its batches belong to. If waiting ends with an error, such as a
        `KeyboardInterrupt`, the pipeline is cancelled, and no batch runs afterwards.
    listener
        Reports the progress meanwhile; None if nobody wants to know.

    Returns
    -------
    Traffic or None
        Traffic that the last step counted; None if the runner reports no metrics.

    Raises
    ------
    RuntimeError
        If the pipeline ends in a state other than DONE. Most runners raise an error of their own
        first.
    """
    try:
        with nullcontext() if listener is None else listener.looking(result, NAMESPACE):
            result.wait_until_finish()
        if result.state != PipelineState.DONE:
            raise RuntimeError(
                f"the pipeline must end in state DONE, but ended in state {result.state}: see the "
                "logs of its runner, and call execute() again"
            )
        return _counted(result)
    except BaseException:
        _cancel(result)
        dask_runner.end(result, execution)
        raise
    finally:
        dask_runner.close(result)


def _cancel(result: PipelineResult) -> None:
    """Cancel a pipeline that has not ended, and wait until it has, if its runner can do that."""
    if not PipelineState.is_terminal(result.state):
        with suppress(Exception):  # the error that is on its way says more
            result.cancel()
            result.wait_until_finish()


def _counted(result: PipelineResult) -> Traffic | None:
    try:
        counts = counts_of(result, TOTAL)
    except NotImplementedError:
        return dask_runner.count(result)
    # Attempted counts are right too, as the last step has a single element.
    return Traffic.from_counts(counts) if counts else None
