"""Store-like arguments: the place that a path, URL, mapping, store or group stands for."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, cast

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

from rechunker.stores.absolute import absolute_place
from rechunker.stores.filesystems import CACHES, inner_filesystem, making_folders, protocols
from rechunker.stores.mapping import MappingStore
from rechunker.stores.repositories import (
    is_in_memory,
    is_repository,
    is_session,
    is_session_store,
)
from rechunker.stores.secrets import without_secrets
from rechunker.stores.sessions import SessionStore
from rechunker.stores.urls import in_threads, is_url, open_url
from rechunker.stores.wrappers import unwrap

__all__ = ["is_process_local", "options_of_urls", "resolve_store"]

_KINDS = (
    "a path, a URL, a mutable mapping, a Zarr store or StorePath, a zarr.Group, "
    "an fsspec mapping, an obstore store, an Icechunk session or repository, or a tuple of a "
    "repository and the name of a branch"
)
_FILE_PROTOCOLS = ("", "file", "local")


def resolve_store(
    store_like: Any, *, storage_options: Mapping[str, Any] | None = None
) -> StorePath:
    """Return the place that `store_like` stands for, without creating or opening anything.

    Parameters
    ----------
    store_like
        A path, a URL, a mutable mapping, a Zarr store or `StorePath`, a `zarr.Group`, an fsspec
        mapping, an obstore store, an Icechunk session or repository (its branch "main"), or a tuple
        of a repository and the name of a branch.
    storage_options
        Arguments with which fsspec or obstore opens a URL.

    Returns
    -------
    zarr.storage.StorePath
        Its store does not depend on the working directory.

    Raises
    ------
    TypeError
        If `store_like` is of another type, or is not a URL although there are storage options.
    ValueError
        If the path is that of a file.
    ImportError
        If `store_like` is a URL, and neither fsspec nor obstore can open it with what is installed.

    Examples
    --------
    >>> resolve_store("target.zarr")
    StorePath(LocalStore, 'file:///...target.zarr')
    """
    if is_url(store_like):
        return making_folders(StorePath(open_url(store_like, storage_options or {})))
    if storage_options:
        shown = without_secrets(repr(store_like))
        raise TypeError(
            f"storage_options are for URLs such as 's3://bucket/key', not for {shown}; leave them "
            "out"
        )
    return making_folders(absolute_place(_place_of(store_like)))


def options_of_urls(
    storage_options: Mapping[str, Any] | None, **store_likes: Any
) -> dict[str, Mapping[str, Any] | None]:
    """Return the storage options of each argument: those that are given if it is a URL, or None.

    Parameters
    ----------
    storage_options
        Options for all URLs.
    **store_likes
        What arguments stand for a place, by their names.

    Raises
    ------
    TypeError
        If there are options, but no URL.

    Examples
    --------
    >>> options_of_urls({"anon": True}, target_store="s3://bucket/key", temp_store="temp.zarr")
    {'target_store': {'anon': True}, 'temp_store': None}
    """
    if storage_options is not None and not isinstance(storage_options, Mapping):
        raise TypeError(
            "storage_options must be a dict of arguments for fsspec or obstore, got a "
            f"{type(storage_options).__name__}"
        )
    if storage_options and not any(map(is_url, store_likes.values())):
        raise TypeError(
            "storage_options are for URLs such as 's3://bucket/key', and none of "
            f"{', '.join(store_likes)} is one; leave them out, or give a URL"
        )
    return {name: storage_options if is_url(it) else None for name, it in store_likes.items()}


def _place_of(store_like: Any) -> StorePath:
    if isinstance(store_like, StorePath):
        return store_like
    if isinstance(store_like, zarr.Group):
        return store_like.store_path
    return StorePath(_make_store(store_like))


def _make_store(store_like: Any) -> Store:
    """Return the store of anything but a URL, a `StorePath` or a group."""
    kind = type(store_like)
    if isinstance(store_like, Store):
        return store_like
    if kind.__module__.startswith("upath") and store_like.protocol not in _FILE_PROTOCOLS:
        return open_url(str(store_like), store_like.storage_options)
    if isinstance(store_like, str | os.PathLike):
        return _path_store(store_like)
    if kind.__module__.startswith("fsspec.") and issubclass(kind, MutableMapping):
        return _open_mapper(store_like)
    if kind.__module__.startswith("obstore"):
        return ObjectStore(store_like)
    if is_session(store_like):
        return cast(Store, store_like.store)
    if is_repository(store_like):
        return SessionStore.of_branch(store_like, "main")
    if isinstance(store_like, tuple) and len(store_like) == 2 and is_repository(store_like[0]):
        return SessionStore.of_branch(*store_like)
    if isinstance(store_like, dict) and all(isinstance(v, Buffer) for v in store_like.values()):
        return MemoryStore(store_like)
    if isinstance(store_like, MutableMapping):
        return MappingStore(store_like)
    shown = without_secrets(repr(store_like))
    raise TypeError(f"cannot use {shown} as a store; give {_KINDS}")


def _path_store(path: str | os.PathLike[str]) -> Store:
    name = os.fspath(path)
    root = _path_of_url(name) if name.startswith("file:") else Path(name)
    if root.parts[:1] == ("~",):  # as a shell and Xarray do; nobody wants a folder of this name
        root = root.expanduser()
    if os.path.isfile(root):  # False for a name that is too long, which is refused later on
        raise ValueError(
            f"{str(root)!r} is a file, not a folder; for a zip archive give "
            "zarr.storage.ZipStore(path, mode=...)"
        )
    return LocalStore(root)


def _path_of_url(url: str) -> Path:
    # Imported here: importing urllib.request takes a quarter of the import time of Rechunker.
    # Python 3.13 has Path.from_uri.
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    return Path(url2pathname(urlsplit(url).path))


def _open_mapper(mapper: Any) -> Store:
    try:
        return FsspecStore.from_mapper(mapper)
    except ValueError:
        return in_threads(mapper.fs, mapper.root)


def is_process_local(store: Store) -> bool:
    """Return whether only this process can reach the objects of a store.

    Pickling such a store silently copies it, so objects that another process writes are lost.

    Parameters
    ----------
    store
        A store, or a wrapper around one.

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
    if is_session_store(store):
        return is_in_memory(store)
    return isinstance(store, ObjectStore) and type(store.store).__name__ == "MemoryStore"


def _is_local_filesystem(fs: Any) -> bool:
    """Return whether an fsspec filesystem, or one inside it, is in memory or a cache."""
    while fs is not None:
        if protocols(fs) & (CACHES | {"memory"}):
            return True
        fs = inner_filesystem(fs)
    return False
