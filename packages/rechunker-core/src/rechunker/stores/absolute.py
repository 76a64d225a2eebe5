"""Absolute places: where a relative path lies is decided once, not where a task happens to run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from copy import copy
from pathlib import Path
from typing import Any

import zarr
from zarr.abc.store import Store
from zarr.storage import FsspecStore, LocalStore, StorePath, ZipStore

from rechunker.stores.filesystems import innermost, protocols
from rechunker.stores.wrappers import unwrap, with_inner

__all__ = ["absolute_array", "absolute_files", "absolute_origins", "absolute_place"]


def absolute_place(place: StorePath) -> StorePath:
    """Return a place whose store does not depend on the working directory.

    Parameters
    ----------
    place
        Place in a store; the store itself stays as it is.
    """
    store = _absolute(place.store)
    return place if store is place.store else StorePath(store, place.path)


def absolute_array(array: zarr.Array[Any]) -> zarr.Array[Any]:
    """Return an array whose store does not depend on the working directory.

    Parameters
    ----------
    array
        Any array; it stays as it is.
    """
    place = absolute_place(array.store_path)
    if place is array.store_path:
        return array
    return zarr.Array(zarr.AsyncArray(array.metadata, place, array.config))


def absolute_origins(arrays: Iterable[object]) -> tuple[StorePath, ...]:
    """Return the places of the Zarr arrays and local files among objects that a graph reads from.

    The graph holds the arrays themselves, so the roots of their stores are changed in place; where
    they lie does not change.

    Parameters
    ----------
    arrays
        Zarr arrays, datasets of h5py, memory-mapped arrays of NumPy, and other objects, which are
        left out.
    """
    arrays = list(arrays)
    files = [getattr(getattr(array, "file", array), "filename", None) for array in arrays]
    found = [array.store_path for array in arrays if isinstance(array, zarr.Array)]
    for place in found:
        inner = unwrap(place.store)
        if isinstance(inner, LocalStore):
            inner.root = inner.root.absolute()
    return (*map(absolute_place, found), *absolute_files(files))


def absolute_files(names: Iterable[object]) -> tuple[StorePath, ...]:
    """Return the places of files on disk.

    Parameters
    ----------
    names
        Paths; what is no path of a file is left out.
    """
    paths = {Path(name) for name in names if isinstance(name, str | os.PathLike)}
    files = sorted(path.absolute() for path in paths if path.is_file())
    return tuple(StorePath(LocalStore(file.parent), file.name) for file in files)


def _absolute(store: Store) -> Store:
    inner = unwrap(store)
    if isinstance(inner, LocalStore) and not inner.root.is_absolute():
        changed = copy(inner)
        changed.root = inner.root.absolute()
        return with_inner(store, changed)
    if isinstance(inner, ZipStore):
        path = getattr(inner, "path", None)  # zarr 3.4 has archives without a path
        if path is not None:
            # Changed in place: it may be open, and two copies would write to one archive.
            inner.path = path.absolute()
    elif isinstance(inner, FsspecStore) and _is_relative(*innermost(inner.fs, inner.path)):
        found = copy(inner)
        found.path = os.path.abspath(inner.path)
        return with_inner(store, found)
    return store


def _is_relative(fs: Any, path: str) -> bool:
    return "file" in protocols(fs) and not os.path.isabs(path) and "://" not in path
