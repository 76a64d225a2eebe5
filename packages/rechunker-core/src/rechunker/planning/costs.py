"""Costs: the seconds that requests, bytes and tasks are modelled to take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["LOCAL", "OBJECT_STORE", "CostModel"]

Numbers = TypeVar("Numbers", float, npt.NDArray[np.float64])


@dataclass(frozen=True)
class CostModel:
    """What a stage costs: its requests, bytes and tasks, each at a price in seconds.

    Parameters
    ----------
    request
        Seconds per object or byte range that is read or written.
    byte
        Seconds per stored byte that is read or written.
    task
        Seconds per task, spent on scheduling and start.
    workers
        Number of tasks that run at a time. A stage takes as many rounds as its busiest worker
        has tasks.
    stored
        Stored bytes per decoded byte in the source and the target.
    temp
        Stored bytes per decoded byte in temporary objects. Below 1 they are compressed, and
        reading a cell takes a second request, for the index of its object.

    Examples
    --------
    >>> model = CostModel(request=0.03, byte=1e-8, task=0.1)
    >>> round(model.seconds(tasks=10, requests=100, stored_bytes=1e9), 3)
    14.0
    """

    request: float
    byte: float
    task: float
    workers: int = 1
    stored: float = 1.0
    temp: float = 1.0

    def __post_init__(self) -> None:
        prices = (self.request, self.byte, self.task, self.stored, self.temp)
        if min(prices) < 0 or self.workers < 1:
            raise ValueError(f"prices must not be negative, nor workers below 1: {self}")

    def seconds(self, tasks: Numbers, requests: Numbers, stored_bytes: Numbers) -> Numbers:
        """Return the time of a stage of at least one task, or of many stages at once."""
        work = self.request * requests + self.byte * stored_bytes + self.task * tasks
        rounds = -(-tasks // self.workers)
        return work * rounds / tasks

    def floor(self, nbytes: int, units: int, max_mem: int, hops: int) -> float:
        """Return a time that no plan with so many temporary copies beats.

        Parameters
        ----------
        nbytes
            Decoded bytes of the array.
        units
            Number of source units and target units: each takes at least one request.
        max_mem
            Bytes that one task may hold, so that a stage has a least number of tasks. Each hop
            writes and reads as many objects.
        hops
            Number of temporary copies.
        """
        boxes = max(1.0, nbytes / max_mem)
        requests = self.request * (units + 2 * hops * boxes)
        stored = self.byte * 2 * nbytes * (self.stored + hops * self.temp)
        return (requests + stored + self.task * (hops + 1) * boxes) / self.workers

    def requests_per_cell(self) -> int:
        """Return the number of requests that reading one cell of a temporary object takes."""
        return 2 if self.temp < 1 else 1


LOCAL = CostModel(request=0.2e-3, byte=1e-9, task=2e-3)
"""A local disk: 0.2 ms per request, 1 GB/s, 2 ms per task."""

OBJECT_STORE = CostModel(request=30e-3, byte=1e-8, task=0.1)
"""An object store: 30 ms per request, 100 MB/s, 0.1 s per task."""
