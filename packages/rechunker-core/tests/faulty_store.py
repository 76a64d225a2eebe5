"""A store that fails as object stores do, now and then: errors, delays, short and lost objects."""

from __future__ import annotations

import asyncio
import errno
import random
import threading
from collections import Counter
from dataclasses import dataclass, fields
from typing import Any

from zarr.abc.buffer import Buffer, BufferPrototype
from zarr.abc.store import ByteRequest, RangeByteRequest, Store
from zarr.buffer import cpu
from zarr.storage import WrapperStore

__all__ = ["ERRORS", "Faults", "FaultyStore"]


class SlowDownError(Exception):
    """An error of a client that tells the status of the answer."""

    status = 503


# What passes by itself, and what does not: s3fs raises PermissionError for "AccessDenied".
ERRORS: dict[str, Exception] = {
    "reset": ConnectionResetError(errno.ECONNRESET, "connection reset by peer"),
    "timeout": TimeoutError("no answer"),
    "internal": OSError(errno.EIO, "we encountered an internal error"),
    "slow down": SlowDownError("please reduce your request rate"),
}


@dataclass(frozen=True)
class Faults:
    """Chances of faults, each for one request.

    Parameters
    ----------
    error, refusal
        That a request raises an error that may pass, or one that does not.
    late_error
        That a request is carried out, and its answer is lost.
    delay
        That an answer takes a few milliseconds.
    short_range
        That a range is shorter than it was asked for.
    truncated
        That an object is read without its end.
    vanished
        That an object seems not to be there.
    lost, cut
        That an object is deleted, or cut, for good, when it is read.
    """

    error: float = 0.0
    late_error: float = 0.0
    refusal: float = 0.0
    delay: float = 0.0
    short_range: float = 0.0
    truncated: float = 0.0
    vanished: float = 0.0
    lost: float = 0.0
    cut: float = 0.0

    @classmethod
    def some(cls, rng: random.Random, highest: float) -> Faults:
        """Return faults of about half the kinds."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: rng.uniform(0, highest) for name in names if rng.random() < 0.5})


class FaultyStore(WrapperStore[Store]):
    """Fails by chance.

    Parameters
    ----------
    store
        What it wraps.
    faults
        The chances; set them to ``Faults()`` to have it work.
    seed
        Of the chances.
    """

    def __init__(self, store: Store, faults: Faults, seed: int) -> None:
        super().__init__(store)
        self.faults = faults
        self.seen: Counter[str] = Counter()
        self._rng = random.Random(seed)
        self._lock = threading.Lock()

    def with_read_only(self, read_only: bool = False) -> Any:
        return self

    def _happens(self, name: str) -> bool:
        with self._lock:
            happens = bool(self._rng.random() < getattr(self.faults, name))
            self.seen[name] += happens
            return happens

    async def _before(self) -> None:
        if self._happens("delay"):
            await asyncio.sleep(self._rng.uniform(0, 0.003))
        if self._happens("error"):
            raise self._rng.choice(list(ERRORS.values()))
        if self._happens("refusal"):
            raise PermissionError(errno.EACCES, "access denied")

    def _after(self) -> None:
        if self._happens("late_error"):
            raise self._rng.choice(list(ERRORS.values()))

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        await self._before()
        if not key.endswith("zarr.json"):  # a target without metadata is no target
            await self._damage(key, prototype)
        found = await self._store.get(key, prototype, byte_range)
        if found is None or self._happens("vanished"):
            return None
        kind = "short_range" if isinstance(byte_range, RangeByteRequest) else "truncated"
        if len(found) > 1 and self._happens(kind):
            found = cut(found, self._rng.randrange(1, len(found)))
        self._after()
        return found

    async def _damage(self, key: str, prototype: BufferPrototype) -> None:
        if self._happens("lost"):
            await self._store.delete(key)
        whole = await self._store.get(key, prototype)
        if whole is not None and len(whole) > 1 and self._happens("cut"):
            await self._store.set(key, cut(whole, self._rng.randrange(1, len(whole))))

    async def getsize(self, key: str) -> int:
        await self._before()
        return await self._store.getsize(key)

    async def exists(self, key: str) -> bool:
        await self._before()
        return await self._store.exists(key)

    async def set(self, key: str, value: Buffer) -> None:
        await self._before()
        await self._store.set(key, value)
        self._after()

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        await self._before()
        await self._store.set_if_not_exists(key, value)
        self._after()

    async def delete(self, key: str) -> None:
        await self._before()
        await self._store.delete(key)
        self._after()

    async def delete_dir(self, prefix: str) -> None:
        await self._before()
        await self._store.delete_dir(prefix)
        self._after()

    async def list_prefix(self, prefix: str) -> Any:
        await self._before()
        async for key in self._store.list_prefix(prefix):
            yield key

    async def list_dir(self, prefix: str) -> Any:
        await self._before()
        async for key in self._store.list_dir(prefix):
            yield key


def cut(value: Buffer, size: int) -> Buffer:
    """Return the first bytes of an object."""
    return cpu.Buffer.from_bytes(value.to_bytes()[:size])
