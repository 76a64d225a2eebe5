"""Access: whole objects read from and written to any Zarr store, synchronously."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

import numpy as np
import numpy.typing as npt
from zarr.abc.buffer import Buffer
from zarr.abc.store import RangeByteRequest, Store, SupportsGetSync, SupportsSetSync
from zarr.buffer import cpu, default_buffer_prototype
from zarr.storage import (
    FsspecStore,
    LocalStore,
    MemoryStore,
    ObjectStore,
    ZipStore,
)

from rechunker.scratch import Scratch
from rechunker.stores import files
from rechunker.stores.filesystems import forget_listings
from rechunker.stores.requests import again, ask, is_quick, run
from rechunker.stores.wrappers import unwrap
from rechunker.thread_context import stopping

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest

__all__ = [
    "copies",
    "delete",
    "delete_dir",
    "fetch",
    "fetch_range",
    "find_keys",
    "get",
    "get_all",
    "get_each",
    "get_range",
    "list_dir",
    "put",
    "put_if_missing",
    "put_reused",
    "sizes",
]

T = TypeVar("T")
Bytes = npt.NDArray[np.uint8]

# Stores with synchronous methods. These skip the event loop, which costs more than reading a small
# chunk. Subclasses may override the asynchronous methods alone, so the type must match exactly.
_DIRECT = (LocalStore, MemoryStore)
# On Windows, another program may keep a file open for a moment: a LocalStore waits for it.
_FAST_FILES = os.name == "posix"
# Stores that no longer refer to the memory of an object once they have written it, and stores of
# obstore inside an ObjectStore that do not. obstore.store.MemoryStore keeps the memory itself.
_WRITE_THROUGH = (LocalStore, FsspecStore, ZipStore)
_WRITE_THROUGH_OBSTORE = frozenset({"AzureStore", "GCSStore", "HTTPStore", "LocalStore", "S3Store"})
# How often to work again in a folder where others work as well, and seconds in between.
_TRIES, _PAUSE = 200, 0.005


def get(store: Store, key: str, byte_range: ByteRequest | None = None) -> Buffer | None:
    """Return the object at `key`, or a range of its bytes; None if there is none."""
    prototype = default_buffer_prototype()
    if type(store) is LocalStore and byte_range is None:
        found = files.read_file(files.path_of(store, key), Scratch())
        return None if found is None else prototype.buffer.from_array_like(found)
    forget_listings(store)
    if type(store) in _DIRECT and isinstance(store, SupportsGetSync):
        return store.get_sync(key, prototype=prototype, byte_range=byte_range)
    return ask(store, lambda: store.get(key, prototype, byte_range))


def get_range(store: Store, key: str, byte_range: ByteRequest, size: int) -> Buffer | None:
    """Return a range of the bytes of an object; None if there is none.

    Raises
    ------
    EOFError
        If the answer has another size, also if the store is asked again.
    """

    def checked(found: Buffer | None) -> Buffer | None:
        if found is not None and len(found) != size:
            raise EOFError(f"{key}: {len(found):,} bytes of the object instead of {size:,}")
        return found

    async def request() -> Buffer | None:
        return checked(await store.get(key, default_buffer_prototype(), byte_range))

    if type(store) in _DIRECT:
        return checked(get(store, key, byte_range))
    forget_listings(store)
    return ask(store, request)


def get_all(keys: Iterable[tuple[Store, str]]) -> list[Buffer | BaseException | None]:
    """Return the objects at keys of stores, asked for at the same time, and errors as values."""
    keys = list(keys)
    for store, _ in keys:
        forget_listings(store)

    async def gather() -> list[Buffer | BaseException | None]:
        requests = (again(store, partial(store.get, key, prototype)) for store, key in keys)
        return await asyncio.gather(*requests, return_exceptions=True)

    prototype = default_buffer_prototype()
    return run(gather())


def get_each(store: Store, keys: Sequence[str]) -> list[Buffer | None]:
    """Return the objects at keys of a store, asked for at the same time; None for missing ones."""
    if is_quick(store):
        return [get(store, key) for key in keys]
    found = []
    for answer in get_all((store, key) for key in keys):
        if isinstance(answer, BaseException):
            raise answer
        found.append(answer)
    return found


def fetch(store: Store, key: str, scratch: Scratch) -> Bytes | None:
    """Return the bytes of the object at `key`, in reused memory if possible; None if missing."""
    if type(store) is LocalStore:
        return files.read_file(files.path_of(store, key), scratch)
    found = get(store, key)
    return None if found is None else np.asarray(found.as_numpy_array()).view(np.uint8)


def fetch_range(
    store: Store,
    key: str,
    start: int,
    sizes: Sequence[int],
    scratch: Scratch,
    *,
    uncached: bool = False,
) -> Iterator[Bytes]:
    """Yield the bytes of an object from `start` on in pieces of these sizes, with one request.

    `uncached` says whether to read a file past the system's cache if the system can.

    Raises
    ------
    FileNotFoundError
        If there is no object at `key`.
    """
    if type(store) is LocalStore:
        path = files.path_of(store, key)
        yield from files.read_pieces(path, start, sizes, scratch, uncached=uncached)
        return
    stop = start + sum(sizes)
    found = get_range(store, key, RangeByteRequest(start, stop), stop - start)
    if found is None:
        raise FileNotFoundError(key)
    whole = np.asarray(found.as_numpy_array()).view(np.uint8)
    for stop, size in zip(accumulate(sizes), sizes, strict=True):
        yield whole[stop - size : stop]


def put(store: Store, key: str, value: Buffer) -> None:
    """Store `value` at `key`; replace the object that is there."""
    if _is_file(store):
        files.write_file(files.path_of(store, key), value.as_numpy_array())
    elif type(store) in _DIRECT and isinstance(store, SupportsSetSync):
        store.set_sync(key, value)
    else:
        ask(store, lambda: store.set(key, value))


def _is_file(store: Store) -> TypeGuard[LocalStore]:
    """Return whether objects are written as files here, without Zarr."""
    return type(store) is LocalStore and _FAST_FILES and not store.read_only


def put_if_missing(store: Store, key: str, value: Buffer) -> None:
    """Store `value` at `key` unless there is an object; at once, if the store can do that."""
    forget_listings(store)
    ask(store, lambda: store.set_if_not_exists(key, value))


def find_keys(store: Store, prefix: str, wanted: Callable[[str], bool]) -> list[str]:
    """Return the keys below `prefix` that are wanted; others are not held in memory.

    Parameters
    ----------
    store
        A store that supports listing.
    prefix
        Key of a folder and ``"/"``, or ``""`` for the whole store.
    wanted
        Whether a key is wanted.
    """
    if type(store) is LocalStore:
        return [key for key in _walk(store.root, prefix) if wanted(key)]
    forget_listings(store)
    try:
        return _despite_others(store, lambda: _collect(store.list_prefix, prefix, wanted))
    except Exception:
        # icechunk (1.1 and 2.3) lists what is below an array or a group, and raises an error of its
        # own where there is neither.
        if not prefix or list_dir(store, prefix.rstrip("/")):
            raise
        return []


def _walk(root: Path, prefix: str) -> Iterator[str]:
    # Two to four times as fast as LocalStore.list_prefix (zarr 3.4.2).
    top = os.path.join(root, "")
    for folder, _, names in os.walk(root / prefix, onerror=_raise_unless_missing):
        base = os.path.join(folder, "")[len(top) :].replace(os.sep, "/")
        yield from (base + name for name in names)


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def list_dir(store: Store, prefix: str) -> list[str]:
    """Return the names directly below `prefix`, of objects and of folders."""
    if type(store) is LocalStore:
        try:
            return os.listdir(files.path_of(store, prefix))
        except (FileNotFoundError, NotADirectoryError):
            return []
    forget_listings(store)
    return ask(store, lambda: _collect(store.list_dir, prefix, lambda name: True))


async def _collect(
    names: Callable[[str], AsyncIterator[str]], prefix: str, wanted: Callable[[str], bool]
) -> list[str]:
    # An ObjectStore begins to list when it is called, which needs the running loop (zarr 3.4.2).
    return [name async for name in names(prefix) if wanted(name)]


def put_reused(store: Store, key: str, data: Bytes, *, uncached: bool = False) -> None:
    """Store bytes whose memory will be used again after this call.

    `uncached` says whether to write a file past the system's cache if the system can.
    """
    if uncached and _is_file(store):
        files.write_file(files.path_of(store, key), data, uncached=True)
    elif _writes_through(store):
        put(store, key, cpu.Buffer.from_array_like(data))
    else:
        put(store, key, cpu.Buffer.from_bytes(data.tobytes()))


def _writes_through(store: Store) -> bool:
    if type(store) is ObjectStore:
        return type(store.store).__name__ in _WRITE_THROUGH_OBSTORE
    return type(store) in _WRITE_THROUGH


def copies(store: Store) -> int:
    """Return the number of copies of an object that writing it may keep in memory."""
    return 0 if type(store) is LocalStore else 1


def delete(store: Store, key: str) -> None:
    """Delete the object at `key` if there is one, or a folder of a LocalStore with all in it."""
    _despite_others(store, lambda: store.delete(key))


def delete_dir(store: Store, prefix: str) -> None:
    """Delete every object below `prefix`; another worker may be doing the same."""
    inner = unwrap(store)
    if isinstance(inner, LocalStore) and (inner.root / prefix).is_file():
        return  # there is nothing below it, and zarr 3.4.2 raises an error
    _despite_others(store, lambda: store.delete_dir(prefix))


def _despite_others(store: Store, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine again as long as it fails because others work in the folder as well.

    A LocalStore lists and deletes a folder file by file, and stops at one that has vanished (zarr
    3.1.6 to 3.4.2, with Python before 3.13), and if there is a new one in the end.
    """
    for _ in range(_TRIES):
        try:
            return ask(store, call)
        except OSError as error:
            passes = isinstance(error, FileNotFoundError) or error.errno == errno.ENOTEMPTY
            if not passes or not isinstance(unwrap(store), LocalStore) or stopping()():
                raise
            time.sleep(_PAUSE)
    return ask(store, call)


def sizes(store: Store, keys: Iterable[str]) -> list[int | None]:
    """Return the sizes of objects in bytes, asked for at the same time; None for missing ones."""
    if type(store) is LocalStore:
        return [files.size_of_file(files.path_of(store, key)) for key in keys]
    forget_listings(store)

    async def size(key: str) -> int | None:
        try:
            return await again(store, partial(store.getsize, key))
        except FileNotFoundError:
            return None

    async def gather() -> list[int | None]:
        return await asyncio.gather(*map(size, keys))

    return run(gather())
