"""The Prefect task that runs a bundle, and logs retries in the logs of its run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging.handlers import APILogHandler

from rechunker.running import BatchRunner
from rechunker.types import Traffic
from rechunker_prefect.bundles import Bundle

__all__ = ["Job", "run_job"]

# `BatchRunner` logs each retry here.
LOGGER = logging.getLogger("rechunker.running")


class Job:
    """A bundle and its runner: the argument of one task run.

    Not a dataclass, since Prefect searches dataclasses for results of other tasks. Not wrapped in
    Prefect's `quote` either, which does not survive the way to a Dask cluster.

    Parameters
    ----------
    bundle
        The bundle.
    runner
        Runs the batches of the bundle, and retries failed tasks.
    """

    def __init__(self, bundle: Bundle, runner: BatchRunner) -> None:
        self.bundle = bundle
        self.runner = runner


# No retries by Prefect: they would repeat the whole bundle. The runner retries single tasks.
@task(name="rechunk", cache_policy=NO_CACHE, persist_result=False, retries=0)
def run_job(job: Job) -> tuple[Traffic, ...]:
    """Run the batches of a bundle, one after another, and return the traffic of each.

    Parameters
    ----------
    job
        The bundle and its runner.
    """
    with logged_in_run(LOGGER):
        return tuple(job.runner(batch.stage, batch.tasks) for batch in job.bundle.batches)


@contextmanager
def logged_in_run(logger: logging.Logger) -> Iterator[None]:
    """Send records that this thread gives to a logger to the logs of the run as well."""
    thread = get_ident()
    handler = APILogHandler()  # finds the current run by itself
    handler.addFilter(lambda record: record.thread == thread)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
