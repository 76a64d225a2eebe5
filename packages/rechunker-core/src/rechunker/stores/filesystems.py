"""Filesystems of fsspec: what lies inside those that cache, wrap or cut out another one."""

from __future__ import annotations

from copy import copy
from typing import Any

from zarr.abc.store import Store
from zarr.storage import FsspecStore, MemoryStore, ObjectStore, StorePath

from rechunker.stores.wrappers import unwrap, with_inner

__all__ = [
    "CACHES",
    "forget_listings",
    "has_folders",
    "inner_filesystem",
    "innermost",
    "making_folders",
    "protocols",
]

# Protocols of filesystems that cache the files of another filesystem on this machine.
CACHES = frozenset({"simplecache", "filecache", "blockcache", "cached"})
# Where keys are all there is: stores of obstore, and protocols. Azure may have folders as well.
_FLAT_OBSTORE = frozenset({"GCSStore", "MemoryStore", "S3Store"})
_FLAT_PROTOCOLS = frozenset({"gcs", "gs", "s3", "s3a"})


def protocols(fs: Any) -> frozenset[str]:
    """Return the protocol names of an fsspec filesystem."""
    return frozenset([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol)


def inner_filesystem(fs: Any) -> Any:
    """Return the filesystem inside a wrapper or cache of fsspec; None for any other filesystem.

    Parameters
    ----------
    fs
        An fsspec filesystem.
    """
    if hasattr(fs, "sync_fs"):  # AsyncFileSystemWrapper, which wraps a synchronous filesystem
        return fs.sync_fs
    return fs.fs if protocols(fs) & (CACHES | {"dir"}) else None


def innermost(fs: Any, root: str) -> tuple[Any, str]:
    """Return the filesystem inside all wrappers, and what a path is called there.

    Parameters
    ----------
    fs
        An fsspec filesystem.
    root
        Path in it.
    """
    while (inner := inner_filesystem(fs)) is not None:
        # A wrapper takes over the protocol of what it wraps, but not its folder.
        if not hasattr(fs, "sync_fs") and "dir" in protocols(fs):
            root = f"{fs.path}/{root}" if fs.path else root
        fs = inner
    return fs, root


def forget_listings(store: Store) -> None:
    """Have a filesystem ask anew what is there, if a store is one of fsspec.

    A filesystem keeps its listings, and answers from them: s3fs (2026.9) does not even read an
    object that others have written since it has listed the folder.

    Parameters
    ----------
    store
        Any store.
    """
    inner = unwrap(store)
    fs = inner.fs if isinstance(inner, FsspecStore) else None
    while fs is not None:
        fs.invalidate_cache()
        fs = inner_filesystem(fs)


def making_folders(place: StorePath) -> StorePath:
    """Return a place whose store makes the folders of what is written, as all other stores do.

    Filesystems of fsspec on disk do so with ``auto_mkdir=True`` alone.

    Parameters
    ----------
    place
        Place in a store; the store itself stays as it is.
    """
    store = unwrap(place.store)
    if not isinstance(store, FsspecStore):
        return place
    fs = _making_folders(store.fs)
    if fs is store.fs:
        return place
    changed = copy(store)
    changed.fs = fs
    return StorePath(with_inner(place.store, changed), place.path)


def _making_folders(fs: Any) -> Any:
    inner = inner_filesystem(fs)
    if inner is None:
        if "file" not in protocols(fs) or fs.auto_mkdir:
            return fs
        return type(fs)(**{**fs.storage_options, "auto_mkdir": True})
    changed = _making_folders(inner)
    if changed is inner or protocols(fs) & CACHES:
        return fs
    if hasattr(fs, "sync_fs"):
        return type(fs)(changed, asynchronous=fs.asynchronous)
    return type(fs)(fs.path, changed, asynchronous=fs.asynchronous)


def has_folders(store: Store) -> bool:
    """Return whether a store may have folders that no key shows: empty ones, or links to others."""
    inner = unwrap(store)
    if isinstance(inner, ObjectStore):
        return type(inner.store).__name__ not in _FLAT_OBSTORE
    if isinstance(inner, FsspecStore):
        return not protocols(inner.fs) & _FLAT_PROTOCOLS
    return not isinstance(inner, MemoryStore)
