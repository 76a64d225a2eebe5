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
    ZipStore,
)

from rechunker.stores.access import unwrap
from rechunker.stores.mapping import MappingStore

__all__ = ["CACHES", "contains", "inner_filesystem", "protocols"]

# Protocols of fsspec's file systems that keep copies of another one's files on this machine.
CACHES = frozenset({"simplecache", "filecache", "blockcache", "cached"})
# Options that make equal paths different places; credentials do not.
_SERVICE = ("account_name", "endpoint_url", "fo", "host", "org", "port", "repo")
_OBSTORE = ("account_name", "bucket", "container_name", "endpoint")


class _Location(NamedTuple):
    """A name space (the disk, a service of buckets, a dictionary), and the way in it."""

    space: Hashable
    parts: tuple[str, ...]


def contains(outer: StorePath, inner: StorePath) -> bool:
    """Say whether `inner` is `outer`, or lies in it.

    Parameters
    ----------
    outer, inner
        Places in stores. Files are compared by their resolved paths, memory by the dictionary,
        files of fsspec by protocol and path, objects of obstore by bucket and prefix, and stores
        of unknown kinds by their equality.

    Examples
    --------
    >>> store = LocalStore("data.zarr")
    >>> contains(StorePath(store, "a"), StorePath(LocalStore("data.zarr/a"), "b"))
    True
    >>> contains(StorePath(store, "a"), StorePath(store))
    False
    >>> contains(StorePath(store, "a/b"), StorePath(store, "a/bc"))
    False
    """
    one, other = _locate(outer), _locate(inner)
    if one is None or other is None:
        if not _are_equal(unwrap(outer.store), unwrap(inner.store)):
            return False
        one, other = _Location(None, _parts(outer.path)), _Location(None, _parts(inner.path))
    return one.space == other.space and other.parts[: len(one.parts)] == one.parts


def inner_filesystem(fs: Any) -> Any:
    """Return the filesystem that a wrapping filesystem of fsspec delegates to; None otherwise.

    Parameters
    ----------
    fs
        Filesystem of fsspec.
    """
    if hasattr(fs, "sync_fs"):  # an AsyncFileSystemWrapper, around a synchronous filesystem
        return fs.sync_fs
    return fs.fs if protocols(fs) & (CACHES | {"dir"}) else None


def protocols(fs: Any) -> frozenset[str]:
    """Return the names of the protocols of a filesystem of fsspec."""
    return frozenset([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol)


def _locate(path: StorePath) -> _Location | None:
    """Return where a place is; None for a store of an unknown kind."""
    store, inner = unwrap(path.store), _parts(path.path)
    match store:
        case LocalStore():
            return _on_disk(store.root, inner)
        case ZipStore() if store.path is not None:  # zarr 3.4 has archives without a path
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
    while (below := inner_filesystem(fs)) is not None:
        root = f"{fs.path}/{root}" if "dir" in protocols(fs) else root
        fs = below
    if "file" in protocols(fs):
        return _on_disk(root, inner)
    options = {**fs.storage_options, **(fs.storage_options.get("client_kwargs") or {})}
    service = tuple(str(options.get(name)) for name in _SERVICE)
    return _Location((min(protocols(fs)), *service), (*_parts(root), *inner))


def _in_object_store(store: Any, inner: tuple[str, ...]) -> _Location | None:
    """Locate a path in a store of obstore, by attributes that some of its classes have."""
    name, prefix = type(store).__name__, getattr(store, "prefix", None)
    if name == "LocalStore":
        return _on_disk(prefix or "/", inner)
    if not hasattr(store, "config"):
        return None
    service = tuple(str(store.config.get(key)) for key in _OBSTORE)
    return _Location((name, *service), (*_parts(prefix or ""), *inner))


def _are_equal(a: Store, b: Store) -> bool:
    if isinstance(a, ObjectStore) and isinstance(b, ObjectStore):
        return bool(a.store == b.store)  # zarr's own comparison looks at read_only, too
    return a is b or (type(a) is type(b) and a == b)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)
