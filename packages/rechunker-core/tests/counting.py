"""A store that writes down every request."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from zarr.abc.buffer import Buffer, BufferPrototype
from zarr.abc.store import ByteRequest, Store
from zarr.storage import MemoryStore, WrapperStore

from rechunker.stores import CLAIM, JOURNAL, METADATA


class CountingStore(WrapperStore[Store]):
    """Counts what is read and written, by key; metadata apart."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store if store is not None else MemoryStore())
        self.gets: Counter[str] = Counter()
        self.puts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def with_read_only(self, read_only: bool = False) -> Any:
        return self

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        with self._lock:
            self.gets[key] += 1
        return await self._store.get(key, prototype, byte_range)

    async def set(self, key: str, value: Buffer) -> None:
        with self._lock:
            self.puts[key] += 1
        await self._store.set(key, value)

    def forget(self) -> None:
        """Start counting anew."""
        self.gets.clear()
        self.puts.clear()


def objects(counts: Counter[str]) -> Counter[str]:
    """Leave out the metadata, and the claim and the journal of the run."""
    return Counter({key: n for key, n in counts.items() if not _is_metadata(key)})


def _is_metadata(key: str) -> bool:
    name = key.rsplit("/", 1)[-1]
    return name in METADATA or name.startswith(CLAIM) or JOURNAL in key.split("/")
