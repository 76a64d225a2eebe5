"""Prefect artifacts that show the progress of a plan and its traffic."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar
from uuid import UUID

import httpx
from prefect.artifacts import (
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.exceptions import PrefectException
from prefect.logging import get_run_logger

from rechunker.running import Reporter
from rechunker.types import Traffic
from rechunker_prefect.bundles import Bundle

__all__ = ["Progress", "reporting_to"]

PROGRESS_KEY = "rechunk-progress"
TRAFFIC_KEY = "rechunk-traffic"
# Minimum number of seconds between two updates through the API.
PAUSE = 2.0

T = TypeVar("T")

# What shows the progress of the flow runs of this context: parameters of a flow go to the server.
_reporter: ContextVar[Reporter | None] = ContextVar("rechunker progress", default=None)


@contextmanager
def reporting_to(report: Reporter) -> Iterator[None]:
    """Let the flow runs within the context report the batches that are done.

    Parameters
    ----------
    report
        What shows the progress.
    """
    token = _reporter.set(report)
    try:
        yield
    finally:
        _reporter.reset(token)


class Progress:
    """Adds up the traffic of a plan, and shows it as artifacts of the current flow run.

    If `execute` was asked to show it as well, it does.

    If the API cannot be reached or refuses an artifact, no more artifacts are made, and the plan
    goes on.

    Parameters
    ----------
    rounds
        All bundles of the plan, round by round.
    """

    def __init__(self, rounds: Iterable[Sequence[Bundle]]) -> None:
        bundles = [bundle for together in rounds for bundle in together]
        stages = (batch.stage for bundle in bundles for batch in bundle.batches)
        self._seconds = sum(bundle.seconds for bundle in bundles)
        self._done = 0.0
        self._of_stages = dict.fromkeys((stage.name for stage in stages), Traffic())
        self._shows = True
        self._artifact = self._call(lambda: create_progress_artifact(0.0, key=PROGRESS_KEY))
        self._called = time.monotonic()

    @property
    def traffic(self) -> Traffic:
        """Traffic of all bundles that are done."""
        return Traffic.total(self._of_stages.values())

    def add(self, bundle: Bundle, did: Sequence[Traffic]) -> None:
        """Add the traffic of a bundle; update the artifact if the last update is 2 seconds old.

        Parameters
        ----------
        bundle
            The bundle that is done.
        did
            Traffic of each of its batches.
        """
        self._done += bundle.seconds
        report = _reporter.get()
        for batch, traffic in zip(bundle.batches, did, strict=True):
            self._of_stages[batch.stage.name] += traffic
            if report is not None:
                report(traffic)
        if time.monotonic() - self._called > PAUSE:
            self._update(100 * self._done / self._seconds, bundle.stage)

    def finish(self) -> None:
        """Show that the plan is finished, and the traffic of each stage in a table."""
        self._update(100.0, "finished")
        rows = [{"stage": name, **done.figures} for name, done in self._of_stages.items()]
        self._call(lambda: create_table_artifact(rows, key=TRAFFIC_KEY))

    def _update(self, percent: float, stage: str) -> None:
        artifact = self._artifact
        if isinstance(artifact, UUID):
            description = f"{stage}: {self.traffic.tasks:,} tasks done"
            self._call(lambda: update_progress_artifact(artifact, percent, description))
        self._called = time.monotonic()

    def _call(self, call: Callable[[], T]) -> T | None:
        if not self._shows:
            return None
        try:
            return call()
        except (httpx.HTTPError, PrefectException) as error:
            self._shows = False
            get_run_logger().warning(
                "cannot show the progress of this run as an artifact, the run goes on: %r", error
            )
            return None
