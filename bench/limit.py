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
from workloads import Workload

__all__ = ["limit"]

SAMPLE = 64 * 10**6
INDEX_CHECKSUM = 4  # bytes after the index of a shard
Index = tuple[int, ...]


class Limit(threading.local):
    """Decoding of source chunks and encoding of target chunks, with buffers per thread."""

    def __init__(self, workload: Workload, source: Path, target: Path) -> None:
        self.codec = Blosc("lz4", 5, Blosc.SHUFFLE) if workload.compressed else None
        self.source, self.target = source, target
        self.shards = workload.source_shards
        self.inner = prod(workload.source_unit) // prod(workload.source)  # chunks in a file
        room = self.inner * (workload.itemsize * prod(workload.source) + 1024)
        self.stored = bytearray(room + 1024)
        self.decoded = np.empty(prod(workload.source), workload.dtype)
        self.chunk = np.zeros(workload.target, workload.dtype)

    def decode(self, index: Index) -> None:
        """Read a file of the source, and decode its chunks."""
        path = os.path.join(self.source, "c", *map(str, index))
        with open(path, "rb", buffering=0) as file:
            if self.codec is None and not self.shards:
                file.readinto(self.decoded.data.cast("B"))
                return
            size = file.readinto(self.stored) or 0
        for part in self._parts(memoryview(self.stored)[:size]):
            if self.codec is None:
                self.decoded.view("u1")[:] = np.frombuffer(part, "u1")
            else:
                self.codec.decode(part, self.decoded)

    def _parts(self, stored: memoryview) -> Iterator[memoryview]:
        """Yield the encoded chunks of a file: those of a shard as its index says."""
        if not self.shards:
            yield stored
            return
        start = len(stored) - 16 * self.inner - INDEX_CHECKSUM
        index = np.frombuffer(stored, "<u8", 2 * self.inner, start)
        for offset, size in index.reshape(-1, 2).tolist():
            yield stored[offset : offset + size]

    def encode(self, index: Index, chunks: list[NDArray[Any]]) -> None:
        """Gather and encode the chunks of a file of the target, and write it."""
        encoded = []
        for values in chunks:
            self.chunk[tuple(map(slice, values.shape))] = values
            whole = self.codec.encode(self.chunk) if self.codec else self.chunk.data
            # The last chunk is written before the buffer is used again.
            encoded.append(whole if self.codec or len(chunks) == 1 else bytes(whole))
        path = os.path.join(self.target, *map(str, index))
        try:
            _write(path, encoded)
        except FileNotFoundError:  # this is the first chunk in its folder
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _write(path, encoded)


def limit(workload: Workload, source: Path, target: Path, threads: int = 2) -> Usage:
    """Decode and encode every chunk of a workload once, and return time and memory."""
    sample = _sample(workload, zarr.open_array(source, mode="r"))
    work = Limit(workload, source, target)
    ratios = [a // b for a, b in zip(workload.target_unit, workload.target, strict=True)]
    inner = list(product(*map(range, ratios)))
    # Chunks are processed in parallel, so Blosc must not use threads within a chunk.
    numcodecs.blosc.use_threads = False

    def encode(index: Index) -> None:
        corner = [i * ratio for i, ratio in zip(index, ratios, strict=True)]
        chunks = (tuple(map(sum, zip(corner, within, strict=True))) for within in inner)
        work.encode(index, [_pick(sample, chunk, workload.target) for chunk in chunks])

    with measured() as usage, ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work.decode, _indices(workload.shape, workload.source_unit)):
            pass
        for _ in pool.map(encode, _indices(workload.shape, workload.target_unit)):
            pass
    return usage


def _write(path: str, encoded: list[Any]) -> None:
    with open(path, "wb", buffering=0) as file:
        for part in encoded:
            file.write(part)


def _indices(shape: Index, chunks: Index) -> Iterator[Index]:
    return product(*(range(-(-size // width)) for size, width in zip(shape, chunks, strict=True)))


def _sample(workload: Workload, array: zarr.Array[Any]) -> NDArray[Any]:
    """Read a block of whole target chunks: real data to encode over and over."""
    nbytes = workload.itemsize * prod(workload.target)
    count = (SAMPLE / nbytes) ** (1 / len(workload.shape))
    widths = (max(1, int(count)) * width for width in workload.target)
    region = (slice(min(width, size)) for width, size in zip(widths, workload.shape, strict=True))
    return np.asarray(array[tuple(region)])


def _pick(sample: NDArray[Any], index: Index, chunks: Index) -> NDArray[Any]:
    """Return the chunk of the sample that stands in for the target chunk at `index`."""
    axes = zip(index, chunks, sample.shape, strict=True)
    starts = [i % max(1, size // width) * width for i, width, size in axes]
    return sample[tuple(slice(a, a + width) for a, width in zip(starts, chunks, strict=True))]


if __name__ == "__main__":
    text, source, target = sys.argv[1:]
    usage = limit(Workload.from_json(text), Path(source), Path(target))
    print(json.dumps({"usage": asdict(usage)}))
