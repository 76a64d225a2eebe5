"""What a task run does, and how its warnings get into the logs of the run."""

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

# Where it is logged that a task is tried again.
LOGGER = logging.getLogger("rechunker.running")


class Job:
    """A bundle, and what runs it.

    This is no dataclass, nor in Prefect's `quote`: dataclasses are looked through for results of
    other tasks, and `quote` does not survive the way to a dask cluster.

    Parameters
    ----------
    bundle
        Batches of tasks.
    runner
        Runs them.
    """

    def __init__(self, bundle: Bundle, runner: BatchRunner) -> None:
        self.bundle = bundle
        self.runner = runner


# Retries are those of the runner, for single tasks: Prefect's would begin the job anew.
@task(name="rechunk", cache_policy=NO_CACHE, persist_result=False, retries=0)
def run_job(job: Job) -> tuple[Traffic, ...]:
    """Run batches of tasks, one after another, and return what each batch did."""
    with logged_in_run(LOGGER):
        return tuple(job.runner(batch.stage, batch.tasks) for batch in job.bundle.batches)


@contextmanager
def logged_in_run(logger: logging.Logger) -> Iterator[None]:
    """Send what a logger is given in this thread to the logs of the run as well."""
    thread = get_ident()
    handler = APILogHandler()  # which finds out by itself what run it is in
    handler.addFilter(lambda record: record.thread == thread)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
