"""Special treatment of Beam's `DaskRunner`: its partitions, its result and its client."""

from __future__ import annotations

import sys
from types import ModuleType

import apache_beam as beam
from apache_beam.runners.runner import PipelineResult

from rechunker.types import Traffic

__all__ = ["close", "count", "spread"]

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
