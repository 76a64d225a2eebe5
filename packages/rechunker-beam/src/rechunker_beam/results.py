"""The end of a pipeline: waiting for it, and what was counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from apache_beam.metrics import MetricsFilter
from apache_beam.metrics.metric import MetricResults
from apache_beam.runners.runner import PipelineResult, PipelineState

from rechunker.types import Traffic
from rechunker_beam import dask_runner
from rechunker_beam.steps import TOTAL

__all__ = ["await_result", "explained"]

# What Beam says where one of its processes on this machine is no longer there.
LOST = "Channel closed prematurely"
ADVICE = (
    "A process of Beam has ended in the middle of its work, killed by the system perhaps for want "
    "of memory. Each of direct_num_workers may hold max_mem; execute() may be called again."
)


@contextmanager
def explained() -> Iterator[None]:
    """Add to errors that Beam raises what they mean."""
    try:
        yield
    except RuntimeError as error:
        if LOST in str(error):
            error.add_note(ADVICE)
        raise


def await_result(result: PipelineResult) -> Traffic | None:
    """Wait for the end of a pipeline that is one plan, and return what its tasks did.

    Parameters
    ----------
    result
        What `apache_beam.Pipeline.run` returned.

    Returns
    -------
    Traffic or None
        What the last step has counted; None if the runner does not tell.

    Raises
    ------
    RuntimeError
        If the pipeline comes to another end than that all is done. Most runners raise an error
        of their own before.
    """
    try:
        result.wait_until_finish()
        if result.state != PipelineState.DONE:
            raise RuntimeError(
                f"the pipeline has ended as {result.state}: see what its runner says of it, and "
                "call execute() again"
            )
        return _counted(result)
    finally:
        dask_runner.close(result)


def _counted(result: PipelineResult) -> Traffic | None:
    try:
        metrics = result.metrics()
    except NotImplementedError:
        return dask_runner.count(result)
    counters = metrics.query(MetricsFilter().with_namespace(TOTAL))[MetricResults.COUNTERS]
    # Not every runner tells what was committed; the last step has a single element.
    counts = {counter.key.metric.name: counter.result for counter in counters}
    return Traffic(**counts) if counts else None
