"""Measure a store that answers slowly: `python bench/latency.py`.

Each request takes 30 ms, and 10 ms more for each megabyte. The time of a run is compared with that
of its requests and bytes if 16 of them were in flight from its begin to its end. What is behind the
delay is memory, or with `--at s3://bucket/prefix` an object store, whose address and credentials
are in the environment, as obstore reads it (`AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP`, and so on).
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
import obstore.store
import zarr
from zarr.abc.store import Store
from zarr.codecs import BloscCodec
from zarr.storage import ObjectStore, WrapperStore

import rechunker
from rechunker.executors.python import PythonExecutor

__all__ = ["CASES", "SlowStore", "main", "measure", "stores_at", "stores_in_memory"]

T = TypeVar("T")
IN_FLIGHT = 16  # as planned for an object store
CODEC = BloscCodec(cname="lz4", shuffle="shuffle", typesize=4)  # as that of bench/climate.py
PLACES = ("source", "target", "temp")


@dataclass
class Network:
    """A network, and what goes through it.

    Parameters
    ----------
    latency
        Seconds of each request.
    bandwidth
        Bytes per second of one stream.
    requests, nbytes
        Number of requests so far, and of bytes that they carried.
    now, most
        Number of requests in flight, and the most of them.
    """

    latency: float = 0.03
    bandwidth: float = 1e8
    requests: int = 0
    nbytes: int = 0
    now: int = 0
    most: int = 0

    async def carry(self, call: Awaitable[T], nbytes: int | None = None) -> T:
        """Make a request, and take the time that it takes for its bytes, or its answer."""
        self.requests += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            answer = await call
            carried = _size(answer) if nbytes is None else nbytes
            self.nbytes += carried
            await asyncio.sleep(self.latency + carried / self.bandwidth)
            return answer
        finally:
            self.now -= 1

    def least(self) -> float:
        """Return the seconds of all requests and bytes, with as many in flight as planned."""
        return (self.requests * self.latency + self.nbytes / self.bandwidth) / IN_FLIGHT


def _size(answer: object) -> int:
    return len(answer) if hasattr(answer, "to_bytes") and hasattr(answer, "__len__") else 0


class SlowStore(WrapperStore[Store]):
    """An object store in memory, behind a network."""

    def __init__(self, store: Store, network: Network) -> None:
        super().__init__(store)
        self.network = network

    def _with_store(self, store: Store) -> SlowStore:
        return SlowStore(store, self.network)

    def with_read_only(self, read_only: bool = False) -> SlowStore:
        return SlowStore(self._store.with_read_only(read_only), self.network)

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        return await self.network.carry(self._store.get(key, *args, **kwargs))

    async def getsize(self, key: str) -> int:
        return await self.network.carry(self._store.getsize(key), 0)

    async def exists(self, key: str) -> bool:
        return await self.network.carry(self._store.exists(key), 0)

    async def set(self, key: str, value: Any) -> None:
        await self.network.carry(self._store.set(key, value), len(value))

    async def set_if_not_exists(self, key: str, value: Any) -> None:
        await self.network.carry(self._store.set_if_not_exists(key, value), len(value))

    async def delete(self, key: str) -> None:
        await self.network.carry(self._store.delete(key), 0)

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for key in await self._listed(self._store.list_prefix(prefix)):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        for key in await self._listed(self._store.list_dir(prefix)):
            yield key

    async def _listed(self, keys: AsyncIterator[str]) -> list[str]:
        async def collect() -> list[str]:
            return [key async for key in keys]

        return await self.network.carry(collect(), 0)


@dataclass(frozen=True)
class Case:
    """A rechunking between slow stores.

    Parameters
    ----------
    about
        What it stands for.
    arrays
        Number of arrays of a group; None for a single array.
    shape, source, target
        Shape of an array, and of its chunks.
    max_mem
        Memory limit per task in bytes.
    """

    about: str
    arrays: int | None
    shape: tuple[int, ...]
    source: tuple[int, ...]
    target: tuple[int, ...]
    max_mem: int


CASES = (
    Case("small chunks", None, (200, 640, 640), (1, 160, 160), (25, 64, 64), 256 * 10**6),
    Case("large chunks", None, (320, 500, 400), (4, 500, 400), (320, 50, 40), 400 * 10**6),
    Case("through a hop", None, (8000, 250, 200), (1, 250, 200), (8000, 10, 10), 256 * 10**6),
    Case("100 small arrays", 100, (100, 100), (20, 100), (100, 20), 10**8),
)


def stores_in_memory() -> list[Store]:
    """Return stores in memory for source, target and temporary objects."""
    return [ObjectStore(obstore.store.MemoryStore()) for _ in PLACES]


def stores_at(url: str) -> Callable[[], list[Store]]:
    """Return a function that returns new places for all three in an object store.

    Parameters
    ----------
    url
        URL of a place. What is written there stays.
    """

    def stores() -> list[Store]:
        new = f"{url}/{uuid4().hex}"
        return [ObjectStore(obstore.store.from_url(f"{new}/{name}")) for name in PLACES]

    return stores


@dataclass(frozen=True)
class Measured:
    """What a phase of a case took.

    Parameters
    ----------
    phase
        "plan" or "run".
    seconds, cpu
        Time, and CPU time of this process, in seconds.
    network
        What went through the network.
    """

    phase: str
    seconds: float
    cpu: float
    network: Network


def measure(
    case: Case, stores: Callable[[], Sequence[Store]] = stores_in_memory
) -> tuple[Measured, Measured]:
    """Plan and run a case between new stores."""
    network = Network()
    inner = stores()
    source, target, temp = (SlowStore(store, network) for store in inner)
    values = np.random.default_rng(0).integers(0, 1000, case.shape, np.int32)
    names = [f"array{number}" for number in range(case.arrays or 1)]
    root = zarr.create_group(inner[0])
    for name in names:
        options: Any = {"shape": case.shape, "chunks": case.source, "dtype": values.dtype}
        root.create_array(name, compressors=CODEC, **options)[...] = values

    def plan() -> Any:
        return rechunker.rechunk(
            zarr.open_group(source, mode="r")
            if case.arrays
            else zarr.open_array(source, path=names[0], mode="r"),
            dict.fromkeys(names, case.target) if case.arrays else case.target,
            case.max_mem,
            target,
            temp_store=temp,
            executor=PythonExecutor(),
        )

    rechunked, planned = _timed("plan", network, plan)
    result, executed = _timed("run", network, rechunked.execute)
    last = result[names[-1]] if case.arrays else result
    assert np.array_equal(zarr.open_array(inner[1], path=last.path, mode="r")[...], values)
    return planned, executed


def _timed(phase: str, network: Network, call: Callable[[], T]) -> tuple[T, Measured]:
    """Call a function; return its result and what it took."""
    network.requests = network.nbytes = network.most = 0
    began, cpu = time.perf_counter(), time.process_time()
    result = call()
    took, used = time.perf_counter() - began, time.process_time() - cpu
    seen = Network(requests=network.requests, nbytes=network.nbytes, most=network.most)
    return result, Measured(phase, took, used, seen)


def main(arguments: list[str] | None = None) -> int:
    """Measure all cases, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at", metavar="URL", help="an object store; what is written stays there")
    parser.add_argument("--names", nargs="*", metavar="TEXT", help="cases that have these texts")
    options = parser.parse_args(arguments)
    stores = stores_at(options.at) if options.at else stores_in_memory
    print("| | phase | requests | MB | in flight | CPU | time | time / least |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        if options.names is None or any(name in case.about for name in options.names):
            _print(case, stores)
    return 0


def _print(case: Case, stores: Callable[[], Sequence[Store]]) -> None:
    for it in measure(case, stores):
        seen, ratio = it.network, it.seconds / it.network.least()
        figures = (f"{seen.requests:,}", f"{seen.nbytes / 1e6:.0f}", str(seen.most))
        times = (f"{it.cpu:.1f} s", f"{it.seconds:.1f} s", f"{ratio:.2f}")
        print("|", " | ".join([case.about, it.phase, *figures, *times]), "|", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
