"""Synchronous reading and writing of whole objects in any Zarr store."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from zarr.abc.store import Store, SupportsGetSync, SupportsSetSync
from zarr.buffer import default_buffer_prototype
from zarr.storage import LocalStore, MemoryStore

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.buffer.cpu import Buffer

__all__ = ["delete", "delete_dir", "exists", "get", "put", "run"]

T = TypeVar("T")

# Their synchronous methods skip the event loop, which costs more than reading a small chunk.
# Subclasses may override the asynchronous methods alone, so only these very types qualify.
_DIRECT = (LocalStore, MemoryStore)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a store's coroutine on Zarr's event loop and wait for it.

    Remote file systems bind their connections to the loop they were first used on, and that is
    Zarr's; there is no public way to reach it (zarr 3.1.6 to 3.4.2).
    """
    from zarr.core.sync import sync

    return sync(coroutine)


def get(store: Store, key: str, byte_range: ByteRequest | None = None) -> Buffer | None:
    """Return the object at `key`, or the named bytes of it; None if there is none."""
    prototype = default_buffer_prototype()
    if type(store) in _DIRECT and isinstance(store, SupportsGetSync):
        return store.get_sync(key, prototype=prototype, byte_range=byte_range)
    return run(store.get(key, prototype, byte_range))


def put(store: Store, key: str, value: Buffer) -> None:
    """Store `value` at `key`, whole, in place of what is there."""
    if type(store) in _DIRECT and isinstance(store, SupportsSetSync):
        store.set_sync(key, value)
    else:
        run(store.set(key, value))


def delete(store: Store, key: str) -> None:
    """Remove the object at `key`; nothing happens where there is none."""
    run(store.delete(key))


def delete_dir(store: Store, prefix: str) -> None:
    """Remove every object below `prefix`."""
    run(store.delete_dir(prefix))


def exists(store: Store, key: str) -> bool:
    """Say whether there is an object at `key`."""
    return run(store.exists(key))
