"""Measure a store that answers slowly: `python bench/latency.py`.

Each request takes 30 ms, and 10 ms more for each megabyte. The time of a run is compared with that
of its requests and bytes if 16 of them were in flight from its begin to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import obstore.store
import zarr
from zarr.abc.store import Store
from zarr.storage import ObjectStore, WrapperStore

import rechunker
from rechunker.executors.python import PythonExecutor

__all__ = ["CASES", "SlowStore", "main", "measure"]

T = TypeVar("T")
IN_FLIGHT = 16  # as planned for an object store


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
    Case("through a hop", None, (2000, 250, 200), (1, 250, 200), (2000, 25, 25), 64 * 10**6),
    Case("100 small arrays", 100, (100, 100), (20, 100), (100, 20), 10**8),
)


def measure(case: Case) -> list[tuple[str, float, Network]]:
    """Plan and run a case; return name, seconds, and network of each phase."""
    network = Network()
    inner = [ObjectStore(obstore.store.MemoryStore()) for _ in range(3)]
    source, target, temp = (SlowStore(store, network) for store in inner)
    values = np.random.default_rng(0).integers(0, 1000, case.shape, np.int32)
    names = [f"array{number}" for number in range(case.arrays or 1)]
    root = zarr.create_group(inner[0])
    for name in names:
        array = root.create_array(name, shape=case.shape, chunks=case.source, dtype=np.int32)
        array[...] = values

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

    rechunked, planned = _timed(network, plan)
    result, executed = _timed(network, rechunked.execute)
    last = result[names[-1]] if case.arrays else result
    assert np.array_equal(zarr.open_array(inner[1], path=last.path, mode="r")[...], values)
    return [("plan", *planned), ("run", *executed)]


def _timed(network: Network, call: Callable[[], T]) -> tuple[T, tuple[float, Network]]:
    """Call a function; return its result, its seconds, and what went through the network."""
    network.requests = network.nbytes = network.most = 0
    began = time.perf_counter()
    result = call()
    took = time.perf_counter() - began
    seen = Network(requests=network.requests, nbytes=network.nbytes, most=network.most)
    return result, (took, seen)


def main(arguments: list[str] | None = None) -> int:
    """Measure all cases, and print a table in Markdown."""
    argparse.ArgumentParser(description=__doc__).parse_args(arguments)
    print("| | phase | requests | MB | in flight | time | time / least |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        for phase, took, network in measure(case):
            figures = (f"{network.requests:,}", f"{network.nbytes / 1e6:.0f}", str(network.most))
            ratio = f"{took / network.least():.2f}"
            print(
                "|",
                " | ".join([case.about, phase, *figures, f"{took:.1f} s", ratio]),
                "|",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
