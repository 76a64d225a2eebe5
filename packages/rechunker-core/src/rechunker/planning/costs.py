"""Costs: a model of the seconds that requests, bytes and tasks take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["LOCAL", "OBJECT_STORE", "CostModel"]

Amount = TypeVar("Amount", float, npt.NDArray[np.float64])


@dataclass(frozen=True)
class CostModel:
    """Model of the time that a stage takes, from its numbers of requests, bytes and tasks.

    Parameters
    ----------
    request
        Seconds per request: one read of an object or byte range, or one write of an object.
    byte
        Seconds per stored (encoded) byte that is read or written.
    task
        Seconds of overhead per task, for scheduling and start-up.
    workers
        Number of tasks that run at the same time, 1 or more.
    serial
        Seconds that the engine takes for each task, one task after the other.
    stored
        Stored bytes per decoded byte in the source and the target (1.0: not compressed).
    temp
        Stored bytes per decoded byte in temporary objects. A value below 1 means that they are
        compressed; reading a cell then takes two requests, the first for the object's index.
    in_flight
        Number of reads, or of writes, that a task has in flight, 1 or more.

    Raises
    ------
    ValueError
        If `workers` or `in_flight` is less than 1 or another parameter is negative.

    Examples
    --------
    >>> model = CostModel(request=0.03, byte=1e-8, task=0.1)
    >>> round(model.seconds(10, (100, 1e9)), 3)
    14.0
    """

    request: float
    byte: float
    task: float
    workers: int = 1
    serial: float = 0.0
    stored: float = 1.0
    temp: float = 1.0
    in_flight: int = 1

    def __post_init__(self) -> None:
        rates = (self.request, self.byte, self.task, self.serial, self.stored, self.temp)
        if min(rates) < 0 or min(self.workers, self.in_flight) < 1:
            raise ValueError(
                "request, byte, task, serial, stored and temp must be 0 or more, workers and "
                f"in_flight 1 or more, got {self}"
            )

    def seconds(self, tasks: Amount, *transfers: tuple[Amount, Amount]) -> Amount:
        """Return the modelled time of a stage in seconds.

        The workers share the tasks as evenly as whole tasks allow: the stage takes as long as the
        worker with the most tasks.

        Parameters
        ----------
        tasks
            Number of tasks, 1 or more.
        *transfers
            What a task does one after the other, such as reads and writes: the number of requests
            of all tasks, and the stored bytes that they carry.

        Returns
        -------
        float or numpy.ndarray
            Seconds; with arrays as parameters, those of one stage per entry.
        """
        work = self.task * tasks
        for requests, stored_bytes in transfers:
            work = work + self._transfer(tasks, requests, stored_bytes)
        rounds = -(-tasks // self.workers)
        return work * rounds / tasks + self.serial * tasks

    def _transfer(self, tasks: Amount, requests: Amount, stored_bytes: Amount) -> Amount:
        """Return the seconds that the requests of all tasks take, if one task follows the other.

        The bytes of a request go through one stream, so a task takes as long as its requests do
        that come one after the other: 17 take as long as 32 if 16 are in flight.
        """
        each = self.request * requests + self.byte * stored_bytes
        if self.in_flight == 1:
            return each
        requests = np.maximum(requests, 1)
        return each * (-(-requests // (tasks * self.in_flight)) * tasks / requests)

    def lower_bound(self, nbytes: int, objects: int, max_mem: int, hops: int) -> float:
        """Return a lower bound on the time of any plan with `hops` hops, in seconds.

        Parameters
        ----------
        nbytes
            Decoded bytes of the array.
        objects
            Number of source objects plus target units; each takes at least one request.
        max_mem
            Memory limit per task in bytes. It bounds the size of a box, and so the number of
            tasks of a stage and of the objects that each hop writes and reads from below.
        hops
            Number of copies through temporary objects.
        """
        boxes = max(1.0, nbytes / max_mem)
        requests = self.request * (objects + 2 * hops * boxes)
        stored = self.byte * 2 * nbytes * (self.stored + hops * self.temp)
        tasks = (hops + 1) * boxes
        work = (requests + stored) / self.in_flight + self.task * tasks
        return work / self.workers + self.serial * tasks

    def requests_per_cell(self) -> int:
        """Return the number of requests that reading one cell of a temporary object takes."""
        return 2 if self.temp < 1 else 1


LOCAL = CostModel(request=0.2e-3, byte=1e-9, task=2e-3)
"""Cost model of a local disk: 0.2 ms per request, 1 GB/s, 2 ms per task."""

OBJECT_STORE = CostModel(request=30e-3, byte=1e-8, task=0.1)
"""Cost model of an object store: 30 ms per request, 100 MB/s, 0.1 s per task."""
