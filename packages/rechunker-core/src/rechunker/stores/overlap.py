"""Overlap of stores: whether one place lies in another."""

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

__all__ = ["CACHES", "contains", "identity_of", "inner_filesystem", "protocols"]

# Protocols of fsspec filesystems that cache the files of another filesystem on this machine.
CACHES = frozenset({"simplecache", "filecache", "blockcache", "cached"})
# Options that tell services apart: equal paths in different services are different places.
# Credentials do not.
_FSSPEC_OPTIONS = ("account_name", "endpoint_url", "fo", "host", "org", "port", "repo")
_OBSTORE_OPTIONS = ("account_name", "bucket", "container_name", "endpoint")


class _Location(NamedTuple):
    """A namespace (the local disk, a bucket service, a dictionary), and a path in it."""

    namespace: Hashable
    parts: tuple[str, ...]


def contains(outer: StorePath, inner: StorePath) -> bool:
    """Return whether `inner` is the same place as `outer`, or lies in it.

    Parameters
    ----------
    outer, inner
        Places in stores. Files are compared by resolved path, memory stores by dictionary,
        fsspec stores by protocol and path, obstore stores by bucket and prefix, and stores of
        unknown kinds by equality.

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
    around, within = _locate(outer), _locate(inner)
    if around is None or within is None:
        if not _are_equal(unwrap(outer.store), unwrap(inner.store)):
            return False
        around, within = _Location(None, _parts(outer.path)), _Location(None, _parts(inner.path))
    is_prefix = within.parts[: len(around.parts)] == around.parts
    return around.namespace == within.namespace and is_prefix


def identity_of(place: StorePath) -> str:
    """Return a text that differs between two places, as far as their stores tell them apart.

    Parameters
    ----------
    place
        Place in a store.
    """
    found = _locate(place)
    return repr(tuple(found)) if found else repr((str(unwrap(place.store)), place.path))


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


def protocols(fs: Any) -> frozenset[str]:
    """Return the protocol names of an fsspec filesystem."""
    return frozenset([fs.protocol] if isinstance(fs.protocol, str) else fs.protocol)


def _locate(path: StorePath) -> _Location | None:
    """Return the location of a place; None if the kind of its store is unknown."""
    store, inner = unwrap(path.store), _parts(path.path)
    match store:
        case LocalStore():
            return _on_disk(store.root, inner)
        case ZipStore() if store.path is not None:  # the path may be None in zarr 3.4
            return _on_disk(store.path, inner)
        case MappingStore():
            return _Location(("mapping", id(store.mapping)), inner)
        case MemoryStore():
            # The text is "memory://<id of the dictionary>" or "memory://<name>/<path>".
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
    while (wrapped := inner_filesystem(fs)) is not None:
        root = f"{fs.path}/{root}" if "dir" in protocols(fs) else root
        fs = wrapped
    if "file" in protocols(fs):
        return _on_disk(root, inner)
    options = {**fs.storage_options, **(fs.storage_options.get("client_kwargs") or {})}
    service = tuple(str(options.get(name)) for name in _FSSPEC_OPTIONS)
    return _Location((min(protocols(fs)), *service), (*_parts(root), *inner))


def _in_object_store(store: Any, inner: tuple[str, ...]) -> _Location | None:
    """Return the location of a path in an obstore store; None for one without a config."""
    name, prefix = type(store).__name__, getattr(store, "prefix", None)
    if name == "LocalStore":
        return _on_disk(prefix or "/", inner)
    if not hasattr(store, "config"):
        return None
    service = tuple(str(store.config.get(key)) for key in _OBSTORE_OPTIONS)
    return _Location((name, *service), (*_parts(prefix or ""), *inner))


def _are_equal(a: Store, b: Store) -> bool:
    if isinstance(a, ObjectStore) and isinstance(b, ObjectStore):
        return bool(a.store == b.store)  # zarr's == also compares read_only
    return a is b or (type(a) is type(b) and a == b)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)
