"""Shard runs: inner chunks that lie close to each other in their shard, and are read at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rechunker.copying.codecs.shard_index import Ranges

__all__ = ["ShardRun", "shard_runs"]


class ShardRun(NamedTuple):
    """Inner chunks of a shard that are read with one request.

    Parameters
    ----------
    start, size
        First byte in the shard, and number of bytes.
    chunks
        Number of each inner chunk, its first byte in the run, and its size.
    """

    start: int
    size: int
    chunks: list[tuple[int, int, int]]


def shard_runs(
    numbers: npt.NDArray[np.int64], ranges: Ranges, at_once: int, gap: int
) -> Iterator[ShardRun]:
    """Yield the runs that hold some inner chunks, in the order in which they lie in the shard.

    Parameters
    ----------
    numbers
        Numbers of the inner chunks.
    ranges
        Offset and size of each of them; none is missing.
    at_once
        Most bytes of a run of several inner chunks.
    gap
        Most bytes between two inner chunks of a run.
    """
    start = stop = 0
    chunks: list[tuple[int, int, int]] = []
    for place in np.argsort(ranges[:, 0], kind="stable"):
        offset, size = map(int, ranges[place])
        end = max(stop, offset + size)
        if chunks and (end - start > at_once or offset - stop > gap):
            yield ShardRun(start, stop - start, chunks)
            chunks = []
        if not chunks:
            start, end = offset, offset + size
        chunks.append((int(numbers[place]), offset - start, size))
        stop = end
    if chunks:
        yield ShardRun(start, stop - start, chunks)
