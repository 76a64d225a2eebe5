"""Finding the place that a store-like object stands for."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

import zarr
from zarr.abc.store import Store
from zarr.buffer.cpu import Buffer
from zarr.storage import (
    FsspecStore,
    LocalStore,
    MemoryStore,
    ObjectStore,
    StorePath,
    ZipStore,
)

from rechunker.stores.access import unwrap
from rechunker.stores.mapping import MappingStore
from rechunker.stores.overlap import CACHES, inner_filesystem, protocols

__all__ = ["is_process_local", "resolve_store"]

_KINDS = (
    "a path, a URL, a mutable mapping, a zarr store or StorePath, a zarr.Group, "
    "an fsspec mapping or an obstore store"
)
_FILE_PROTOCOLS = ("", "file", "local")


def resolve_store(
    store_like: Any, *, storage_options: Mapping[str, Any] | None = None
) -> StorePath:
    """Return the place that `store_like` stands for; nothing is created, opened or written.

    Parameters
    ----------
    store_like
        A path, a URL, a mutable mapping, a zarr store or `StorePath`, a `zarr.Group`, an fsspec
        mapping or an obstore store.
    storage_options
        What fsspec is given to open a URL.

    Returns
    -------
    zarr.storage.StorePath

    Raises
    ------
    TypeError
        If `store_like` is something else, or options are given for something that is no URL.
    ValueError
        If a path leads to a file.

    Examples
    --------
    >>> resolve_store("target.zarr")
    StorePath(LocalStore, 'file://target.zarr')
    """
    if isinstance(store_like, str) and _is_remote(store_like):
        return StorePath(_open_url(store_like, dict(storage_options or {})))
    if storage_options:
        raise TypeError(
            f"storage_options are for URLs such as 's3://bucket/key', not for {store_like!r}; "
            "leave them out"
        )
    if isinstance(store_like, StorePath):
        return store_like
    if isinstance(store_like, zarr.Group):
        return store_like.store_path
    return StorePath(_make_store(store_like))


def _make_store(store_like: Any) -> Store:
    """Return a store of anything but a URL."""
    kind = type(store_like)
    if isinstance(store_like, Store):
        return store_like
    if kind.__module__.startswith("upath") and store_like.protocol not in _FILE_PROTOCOLS:
        return _open_url(str(store_like), dict(store_like.storage_options))
    if isinstance(store_like, str | os.PathLike):
        return _path_store(store_like)
    if kind.__module__.startswith("fsspec.") and issubclass(kind, MutableMapping):
        return FsspecStore.from_mapper(store_like)
    if kind.__module__.startswith("obstore"):
        return ObjectStore(store_like)
    if isinstance(store_like, dict) and all(isinstance(v, Buffer) for v in store_like.values()):
        return MemoryStore(store_like)
    if isinstance(store_like, MutableMapping):
        return MappingStore(store_like)
    raise TypeError(f"not a place to store arrays: {store_like!r}; give {_KINDS}")


def _path_store(path: str | os.PathLike[str]) -> Store:
    name = os.fspath(path)
    root = _path_of_url(name) if name.startswith("file:") else Path(name)
    if root.is_file():
        raise ValueError(
            f"{str(root)!r} is a file, not a folder; for a zip archive give "
            "zarr.storage.ZipStore(path, mode=...)"
        )
    return LocalStore(root)


def _path_of_url(url: str) -> Path:
    # Imported here: urllib.request takes a quarter of the time to import Rechunker. From 3.13 on
    # there is Path.from_uri.
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    return Path(url2pathname(urlsplit(url).path))


def _is_remote(text: str) -> bool:
    # As fsspec tells them apart: "s3://...", and chains such as "simplecache::s3://...".
    return ("://" in text or "::" in text) and not text.startswith("file:")


def _open_url(url: str, options: dict[str, Any]) -> Store:
    try:
        return FsspecStore.from_url(url, storage_options=options)
    except ImportError as error:
        if error.name != "fsspec":
            raise
        raise ImportError(f"{url!r} needs fsspec: pip install fsspec", name="fsspec") from error


def is_process_local(store: Store) -> bool:
    """Say whether the bytes of a store live in this process alone.

    Such a store pickles as a silent copy, so what another process writes is lost.

    Parameters
    ----------
    store
        Any store; wrappers are looked into.

    Examples
    --------
    >>> is_process_local(MemoryStore()), is_process_local(LocalStore("data.zarr"))
    (True, False)
    """
    store = unwrap(store)
    if isinstance(store, MemoryStore | MappingStore):
        return True
    if isinstance(store, ZipStore):
        return not store.read_only
    if isinstance(store, FsspecStore):
        return _is_local_filesystem(store.fs)
    return isinstance(store, ObjectStore) and type(store.store).__name__ == "MemoryStore"


def _is_local_filesystem(fs: Any) -> bool:
    """Say whether a file system of fsspec, or one that it wraps, is memory or a cache."""
    while fs is not None:
        if protocols(fs) & (CACHES | {"memory"}):
            return True
        fs = inner_filesystem(fs)
    return False
