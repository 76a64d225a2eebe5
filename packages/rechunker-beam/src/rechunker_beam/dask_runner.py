"""Special treatment of Beam's `DaskRunner`: its partitions, workers, result and client."""

from __future__ import annotations

import sys
from contextlib import suppress
from types import ModuleType

import apache_beam as beam
from apache_beam.runners.runner import PipelineResult

from rechunker.running import Execution
from rechunker.types import Traffic

__all__ = ["close", "count", "end", "spread"]

MODULE = "apache_beam.runners.dask.dask_runner"
# Partitions of a round's batches per worker. Few, since every partition of one round sends data to
# every partition of the next.
PARTITIONS = 4


def spread(pipeline: beam.Pipeline, workers: int) -> None:
    """Make `DaskRunner` split the batches of a round into several partitions per worker.

    By default it puts all batches into one partition, which a single Dask task works on. Options
    that set the number or the size of partitions are kept.

    Parameters
    ----------
    pipeline
        The pipeline; unchanged if its runner is not a `DaskRunner`.
    workers
        Number of batches that are expected to run at a time.
    """
    module = _module()
    if module is None or not isinstance(pipeline.runner, module.DaskRunner):
        return
    options = pipeline.options.view_as(module.DaskOptions)
    if options.npartitions is None and options.partition_size is None:
        options.npartitions = PARTITIONS * workers


def count(result: PipelineResult) -> Traffic | None:
    """Return the traffic that the last step of a pipeline yielded.

    Parameters
    ----------
    result
        Result of a pipeline that is one plan.

    Returns
    -------
    Traffic or None
        None if the runner is not a `DaskRunner`.
    """
    module = _module()
    if module is None or not isinstance(result, module.DaskRunnerResult):
        return None
    ((traffic,),) = result.client.gather(result.futures)
    assert isinstance(traffic, Traffic)
    return traffic


def end(result: PipelineResult, execution: Execution) -> None:
    """End an execution on all workers of the cluster; do nothing for other runners.

    Parameters
    ----------
    result
        Result of a pipeline that has failed or was interrupted.
    execution
        The execution that its batches belong to.
    """
    module = _module()
    if module is None or not isinstance(result, module.DaskRunnerResult):
        return
    # A cluster that is lost cannot be asked; the claim on the target is for this case.
    with suppress(Exception):
        result.cancel()  # starts no more batches, but does not stop those that run
        result.client.run(execution.end_in_loop, on_error="ignore")


def close(result: PipelineResult) -> None:
    """Close the Dask client that `DaskRunner` made; do nothing for other runners.

    Parameters
    ----------
    result
        Result of a pipeline.
    """
    module = _module()
    if module is not None and isinstance(result, module.DaskRunnerResult):
        result.client.close()


def _module() -> ModuleType | None:
    # If the module is not imported, the pipeline has another runner, and Dask may not be installed.
    return sys.modules.get(MODULE)
