"""Workloads: the rechunkings that the benchmarks measure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, prod

__all__ = ["WORKLOADS", "Workload"]

ITEMSIZE = 4  # float32


@dataclass(frozen=True)
class Workload:
    """A float32 array to rechunk.

    Parameters
    ----------
    name
        Short name, such as ``"W1"``.
    about
        Description.
    shape
        Shape of the array.
    source, target
        Chunk shapes of the source and the target.
    max_mem
        Memory limit per task in bytes.
    """

    name: str
    about: str
    shape: tuple[int, ...]
    source: tuple[int, ...]
    target: tuple[int, ...]
    max_mem: int

    @property
    def nbytes(self) -> int:
        """Decoded bytes of the array."""
        return ITEMSIZE * prod(self.shape)

    def shrunk(self, divisor: int) -> Workload:
        """Return a smaller workload with the same geometry, for tests rather than for timing.

        Shapes are divided by `divisor` along axes longer than ten, and `max_mem` in proportion,
        but not below the memory that the chunks of one task need.
        """

        def divide(sizes: tuple[int, ...]) -> tuple[int, ...]:
            return tuple(max(1, size // divisor) if size > 10 else size for size in sizes)

        small = replace(
            self, shape=divide(self.shape), source=divide(self.source), target=divide(self.target)
        )
        chunks = ITEMSIZE * (prod(small.source) + prod(small.target))
        memory = max(4 * chunks, ceil(self.max_mem * small.nbytes / self.nbytes))
        return replace(small, max_mem=memory) if divisor > 1 else self


def _workload(
    name: str,
    about: str,
    shape: tuple[int, ...],
    chunks: tuple[tuple[int, ...], tuple[int, ...]],
    megabytes: int,
) -> Workload:
    return Workload(name, about, shape, *chunks, megabytes * 10**6)


WORKLOADS = {
    work.name: work
    for work in (
        _workload(
            "W1",
            "maps to time series, large chunks on both sides",
            (2920, 361, 360),
            ((40, 361, 360), (2920, 10, 10)),
            500,
        ),
        _workload(
            "W2",
            "single maps to time series",
            (2000, 500, 400),
            ((1, 500, 400), (2000, 25, 25)),
            256,
        ),
        _workload("W4", "rows to columns", (20000, 20000), ((10, 20000), (20000, 10)), 256),
        _workload(
            "W5",
            "small chunks on both sides",
            (1000, 640, 640),
            ((1, 160, 160), (25, 32, 32)),
            256,
        ),
    )
}
