"""What Beam's runner for dask needs to be told, and what it leaves behind."""

from __future__ import annotations

import sys
from types import ModuleType

import apache_beam as beam
from apache_beam.runners.runner import PipelineResult

from rechunker.types import Traffic

__all__ = ["close", "count", "spread"]

MODULE = "apache_beam.runners.dask.dask_runner"
# Of the batches of a round, for each worker. Between two rounds each of them sends to each.
PARTITIONS = 4


def spread(pipeline: beam.Pipeline, workers: int) -> None:
    """Have the runner put the batches of a round into some partitions for each worker.

    It would make one of all, and work on it in one task, unless options say otherwise.

    Parameters
    ----------
    pipeline
        A pipeline of any runner; with others nothing is done.
    workers
        How many tasks are expected to run at a time.
    """
    module = _module()
    if module is None or not isinstance(pipeline.runner, module.DaskRunner):
        return
    options = pipeline.options.view_as(module.DaskOptions)
    if options.npartitions is None and options.partition_size is None:
        options.npartitions = PARTITIONS * workers


def count(result: PipelineResult) -> Traffic | None:
    """Return what the last step of a pipeline has yielded; None with other runners."""
    module = _module()
    if module is None or not isinstance(result, module.DaskRunnerResult):
        return None
    ((traffic,),) = result.client.gather(result.futures)
    assert isinstance(traffic, Traffic)
    return traffic


def close(result: PipelineResult) -> None:
    """Close the client that the runner has made; with other runners nothing is done."""
    module = _module()
    if module is not None and isinstance(result, module.DaskRunnerResult):
        result.client.close()


def _module() -> ModuleType | None:
    # Where it is not imported the runner is another one, and dask may be absent.
    return sys.modules.get(MODULE)
