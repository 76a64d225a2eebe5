"""Telling whether two places in stores hold common objects."""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path
from typing import Any, NamedTuple

from zarr.abc.store import Store
from zarr.storage import (
    FsspecStore,
    LocalStore,
    MemoryStore,
    ObjectStore,
    StorePath,
    WrapperStore,
    ZipStore,
)

from rechunker.mapping_store import MappingStore

__all__ = ["contains", "overlap", "unwrap"]


class _Location(NamedTuple):
    """A name space (a disk, a bucket's service, a dictionary), and the way to a place in it."""

    space: Hashable
    parts: tuple[str, ...]


def overlap(a: StorePath, b: StorePath) -> bool:
    """Say whether two places are the same, or one contains the other.

    Parameters
    ----------
    a, b
        Places in stores: of files by their resolved paths, in memory by the dictionary, in
        fsspec by protocol and path, in obstore by the store and its prefix. Stores of unknown
        kinds are the same place if they are equal.

    Examples
    --------
    >>> store = LocalStore("data.zarr")
    >>> overlap(StorePath(store, "a"), StorePath(LocalStore("data.zarr/a"), "b"))
    True
    >>> overlap(StorePath(store, "a/b"), StorePath(store, "a/bc"))
    False
    """
    return contains(a, b) or contains(b, a)


def contains(outer: StorePath, inner: StorePath) -> bool:
    """Say whether `inner` is `outer`, or lies in it; see `overlap`.

    Parameters
    ----------
    outer, inner
        Places in stores.

    Examples
    --------
    >>> store = LocalStore("data.zarr")
    >>> contains(StorePath(store), StorePath(store, "a"))
    True
    >>> contains(StorePath(store, "a"), StorePath(store))
    False
    """
    one, other = _locate(outer), _locate(inner)
    if one is None or other is None:
        if not _same_store(unwrap(outer.store), unwrap(inner.store)):
            return False
        one, other = _Location(None, _parts(outer.path)), _Location(None, _parts(inner.path))
    return one.space == other.space and other.parts[: len(one.parts)] == one.parts


def unwrap(store: Store) -> Store:
    """Return the store inside any number of wrappers.

    Parameters
    ----------
    store
        Any store.
    """
    while isinstance(store, WrapperStore):
        store = store._store  # documented: "accessible via the ._store attribute"
    return store


def _locate(path: StorePath) -> _Location | None:
    """Return where a place is; None for a store of an unknown kind."""
    store, inner = unwrap(path.store), _parts(path.path)
    match store:
        case LocalStore():
            return _on_disk(store.root, inner)
        case ZipStore() if store.path is not None:
            return _on_disk(store.path, inner)
        case MappingStore():
            return _Location(("mapping", id(store.mapping)), inner)
        case MemoryStore():
            # "memory://<id of the dictionary>", or "memory://<name>/<path>".
            scheme, _, rest = str(store).partition("://")
            name, *root = _parts(rest)
            return _Location((scheme, name), (*root, *inner))
        case FsspecStore():
            return _in_filesystem(store.fs, store.path, inner)
        case ObjectStore():
            return _in_object_store(store.store, inner)
    return None


def _on_disk(root: str | os.PathLike[str], inner: tuple[str, ...]) -> _Location:
    resolved = Path(root).joinpath(*inner).resolve()
    return _Location("disk", tuple(os.path.normcase(part) for part in resolved.parts))


def _in_filesystem(fs: Any, root: str, inner: tuple[str, ...]) -> _Location:
    """Locate a path in a file system of fsspec, through those that wrap another."""
    while True:
        if hasattr(fs, "sync_fs"):
            fs = fs.sync_fs
        elif getattr(fs, "fs", None) is not None:
            root = f"{getattr(fs, 'path', '')}/{root}"  # a DirFileSystem starts at its path
            fs = fs.fs
        else:
            break
    protocol = fs.protocol if isinstance(fs.protocol, str) else fs.protocol[0]
    if protocol in ("file", "local"):
        return _on_disk(root, inner)
    return _Location((protocol, *_service(fs)), (*_parts(root), *inner))


def _service(fs: Any) -> tuple[Hashable, ...]:
    """Options that make equal paths different places; credentials do not."""
    options = getattr(fs, "storage_options", {})
    endpoint = options.get("endpoint_url") or (options.get("client_kwargs") or {}).get(
        "endpoint_url"
    )
    names = ("host", "port", "account_name", "org", "repo", "fo")
    return (endpoint, *(str(options.get(name)) for name in names))


def _in_object_store(store: Any, inner: tuple[str, ...]) -> _Location | None:
    prefix = getattr(store, "prefix", None)
    if type(store).__name__ == "LocalStore":
        return _on_disk(prefix or "/", inner)
    config = getattr(store, "config", None)
    if config is None:
        return None
    place = {k: v for k, v in dict(config).items() if k in ("bucket", "container_name", "endpoint")}
    space = (type(store).__name__, *sorted(place.items()))
    return _Location(space, (*_parts(str(prefix or "")), *inner))


def _same_store(a: Store, b: Store) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, ObjectStore) and isinstance(b, ObjectStore):
        return bool(a.store == b.store)
    return a is b or a == b


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)
