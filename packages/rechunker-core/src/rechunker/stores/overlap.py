"""Overlap of stores: whether one place lies in another."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

from zarr.abc.store import Store
from zarr.storage import FsspecStore, MemoryStore, ObjectStore, StorePath

from rechunker.stores.disk import disk_path, is_within, physical_parts
from rechunker.stores.filesystems import innermost, protocols
from rechunker.stores.mapping import MappingStore
from rechunker.stores.secrets import without_secrets
from rechunker.stores.wrappers import unwrap

__all__ = ["contains", "identity_of", "name_of", "names_of", "outermost"]

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
        Places in stores. Files are compared by resolved path and by inode, memory stores by
        dictionary, fsspec stores by protocol and path, obstore stores by bucket and prefix, and
        stores of unknown kinds by equality.

    Examples
    --------
    >>> from zarr.storage import LocalStore
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
    if around.namespace != within.namespace:
        return False
    if within.parts[: len(around.parts)] == around.parts:
        return True
    folder, inside = disk_path(outer), disk_path(inner)
    return folder is not None and inside is not None and is_within(inside, folder)


def outermost(places: Iterable[StorePath]) -> tuple[StorePath, ...]:
    """Return the places that lie in no other one of them in the same store.

    Parameters
    ----------
    places
        Any places.

    Examples
    --------
    >>> store = MemoryStore()
    >>> [place.path for place in outermost(StorePath(store, path) for path in ("a/b", "a", "ab"))]
    ['a', 'ab']
    """
    kept: list[StorePath] = []
    for place in sorted(places, key=lambda place: place.path.count("/") + bool(place.path)):
        parts = _parts(place.path)
        if not any(
            _are_equal(outer.store, place.store) and parts[: len(p)] == p
            for outer in kept
            for p in [_parts(outer.path)]
        ):
            kept.append(place)
    return tuple(kept)


def names_of(place: StorePath) -> tuple[str, ...]:
    """Return the names that lead to a place, as far as its store tells them.

    Parameters
    ----------
    place
        Place in a store.

    Examples
    --------
    >>> names_of(StorePath(MemoryStore(), "a/b"))
    ('a', 'b')
    """
    on_disk = disk_path(place)
    if on_disk is not None:
        return on_disk.parts[1:]
    found = _locate(place)
    return found.parts if found else _parts(place.path)


def name_of(place: StorePath) -> str:
    """Return the last of the names that lead to a place, without credentials.

    Parameters
    ----------
    place
        Place in a store.

    Examples
    --------
    >>> name_of(StorePath(MemoryStore(), "a/b")), name_of(StorePath(MemoryStore()))
    ('b', 'memory')
    """
    names = [*filter(None, names_of(place))]
    return without_secrets(names[-1] if names else "memory")


def identity_of(place: StorePath) -> str:
    """Return a text that differs between two places, as far as their stores tell them apart.

    Parameters
    ----------
    place
        Place in a store.
    """
    on_disk = disk_path(place)
    if on_disk is not None:
        return repr(("disk", *on_disk.resolve().parts))
    found = _locate(place)
    return repr(tuple(found)) if found else repr((str(unwrap(place.store)), place.path))


def _locate(path: StorePath) -> _Location | None:
    """Return the location of a place; None if the kind of its store is unknown."""
    on_disk = disk_path(path)
    if on_disk is not None:
        return _Location("disk", physical_parts(on_disk))
    store, inner = unwrap(path.store), _parts(path.path)
    match store:
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


def _in_filesystem(fs: Any, root: str, inner: tuple[str, ...]) -> _Location:
    fs, root = innermost(fs, root)
    options = {**fs.storage_options, **(fs.storage_options.get("client_kwargs") or {})}
    service = tuple(str(options.get(name)) for name in _FSSPEC_OPTIONS)
    return _Location((min(protocols(fs)), *service), (*_parts(root), *inner))


def _in_object_store(store: Any, inner: tuple[str, ...]) -> _Location | None:
    """Return the location of a path in an obstore store; None for one without a config."""
    name, prefix = type(store).__name__, getattr(store, "prefix", None)
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
