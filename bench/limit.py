"""Measure the least work of rechunking: decode each source chunk and encode each target chunk once.

There is no intermediate, no memory limit, and no layer between codec and file.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numcodecs.blosc
import numpy as np
import zarr
from numcodecs import Blosc
from numpy.typing import NDArray

from usage import Usage, measured
from workloads import ITEMSIZE, WORKLOADS, Workload

__all__ = ["limit"]

SAMPLE = 64 * 10**6
Index = tuple[int, ...]


class Limit(threading.local):
    """Decoding of source chunks and encoding of target chunks, with buffers per thread."""

    def __init__(self, workload: Workload, source: Path, target: Path) -> None:
        self.codec = Blosc("lz4", 5, Blosc.SHUFFLE)
        self.source, self.target = source, target
        self.stored = bytearray(2 * ITEMSIZE * prod(workload.source) + 1024)
        self.decoded = np.empty(prod(workload.source), "f4")
        self.chunk = np.zeros(workload.target, "f4")

    def decode(self, index: Index) -> None:
        """Read and decode one source chunk."""
        with open(os.path.join(self.source, "c", *map(str, index)), "rb", buffering=0) as file:
            size = file.readinto(self.stored)
        self.codec.decode(memoryview(self.stored)[:size], self.decoded)

    def encode(self, index: Index, values: NDArray[np.float32]) -> None:
        """Gather, encode and write one target chunk."""
        self.chunk[tuple(map(slice, values.shape))] = values
        path = os.path.join(self.target, *map(str, index))
        encoded = self.codec.encode(self.chunk)
        try:
            _write(path, encoded)
        except FileNotFoundError:  # this is the first chunk in its folder
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _write(path, encoded)


def limit(workload: Workload, source: Path, target: Path, threads: int = 2) -> Usage:
    """Decode and encode every chunk of a workload once, and return time and memory."""
    sample = _sample(workload, zarr.open_array(source, mode="r"))
    work = Limit(workload, source, target)
    # Chunks are processed in parallel, so Blosc must not use threads within a chunk.
    numcodecs.blosc.use_threads = False

    def encode(index: Index) -> None:
        work.encode(index, _pick(sample, index, workload.target))

    with measured() as usage, ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work.decode, _indices(workload.shape, workload.source)):
            pass
        for _ in pool.map(encode, _indices(workload.shape, workload.target)):
            pass
    return usage


def _write(path: str, encoded: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        file.write(encoded)


def _indices(shape: Index, chunks: Index) -> Iterator[Index]:
    return product(*(range(-(-size // width)) for size, width in zip(shape, chunks, strict=True)))


def _sample(workload: Workload, array: zarr.Array[Any]) -> NDArray[np.float32]:
    """Read a block of whole target chunks: real data to encode over and over."""
    count = (SAMPLE / ITEMSIZE / prod(workload.target)) ** (1 / len(workload.shape))
    widths = (max(1, int(count)) * width for width in workload.target)
    region = (slice(min(width, size)) for width, size in zip(widths, workload.shape, strict=True))
    return np.asarray(array[tuple(region)])


def _pick(sample: NDArray[np.float32], index: Index, chunks: Index) -> NDArray[np.float32]:
    """Return the chunk of the sample that stands in for the target chunk at `index`."""
    axes = zip(index, chunks, sample.shape, strict=True)
    starts = [i % max(1, size // width) * width for i, width, size in axes]
    return sample[tuple(slice(a, a + width) for a, width in zip(starts, chunks, strict=True))]


if __name__ == "__main__":
    name, small, source, target = sys.argv[1:]
    print(json.dumps(asdict(limit(WORKLOADS[name].shrunk(int(small)), Path(source), Path(target)))))
