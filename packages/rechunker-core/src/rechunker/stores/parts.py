"""Parts of objects: byte ranges that are read without the rest, from any Zarr store."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from zarr.abc.buffer import Buffer
from zarr.abc.store import RangeByteRequest, Store, SuffixByteRequest
from zarr.buffer import default_buffer_prototype
from zarr.storage import LocalStore, MemoryStore, ZipStore

from rechunker.scratch import Scratch
from rechunker.stores import access, files
from rechunker.stores.filesystems import forget_listings
from rechunker.stores.mapping import MappingStore
from rechunker.stores.requests import ask
from rechunker.stores.wrappers import unwrap

__all__ = ["fetch_part", "reads_parts"]

Bytes = npt.NDArray[np.uint8]


def reads_parts(store: Store) -> bool:
    """Return whether a store reads a part of an object without the rest of it."""
    return not isinstance(unwrap(store), MappingStore | ZipStore)


def fetch_part(
    store: Store, key: str, start: int | None, size: int, scratch: Scratch
) -> Bytes | None:
    """Return bytes of the object at `key`, fewer if it ends before; None if it is missing.

    Parameters
    ----------
    store, key
        Where it is.
    start
        First byte; None for the last bytes of the object.
    size
        Number of bytes, 1 or more.
    scratch
        Memory that may be used for them.

    Raises
    ------
    EOFError
        If the store is not on this machine and answers with fewer bytes, also if it is asked again.
    """
    if type(store) is LocalStore:
        return files.read_part(files.path_of(store, key), start, size, scratch)
    part = SuffixByteRequest(size) if start is None else RangeByteRequest(start, start + size)

    async def request() -> Buffer | None:
        found = await store.get(key, default_buffer_prototype(), part)
        if found is not None and len(found) < size:
            raise EOFError(f"{key}: {len(found):,} bytes of the object instead of {size:,}")
        return found

    if type(store) is MemoryStore:
        answer = access.get(store, key, part)
    else:
        forget_listings(store)
        answer = ask(store, request)
    if answer is None:
        return None
    found = np.asarray(answer.as_numpy_array()).view(np.uint8)
    if start is None:
        return found[-size:]
    # A server that knows no ranges sends the whole object.
    first = start if found.size > size else 0
    return found[first : first + size]
