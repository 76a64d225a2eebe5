"""Kinds of sources: finds the kind of a source, and returns its hierarchy."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.storage import StorePath

from rechunker.sources.base import Hierarchy
from rechunker.sources.dask import dask_hierarchy, is_dask_array
from rechunker.sources.numpy_array import numpy_hierarchy
from rechunker.sources.zarr_array import array_hierarchy
from rechunker.sources.zarr_group import group_hierarchy
from rechunker.stores import find_node, is_session, resolve_store, without_secrets

__all__ = ["hierarchy_of", "open_source"]

# Types of what names a place, next to the stores of obstore.
_PLACES = (str, os.PathLike, Store, StorePath, MutableMapping)


def open_source(source: Any, storage_options: Mapping[str, Any] | None = None) -> Any:
    """Return what a source stands for: the Zarr array or group at a place, or the source itself.

    Parameters
    ----------
    source
        A path, a URL, a store, a mapping or a session of Icechunk that holds a Zarr array or group;
        or anything else, which is returned.
    storage_options
        Arguments with which fsspec or obstore opens a URL; None for anything else.

    Raises
    ------
    FileNotFoundError
        If there is no array and no group at a place.
    ValueError
        If the place is a file.
    """
    if isinstance(source, str | os.PathLike) and os.path.isfile(source):
        raise ValueError(
            f"the source {os.fspath(source)!r} is a file, not a folder; open netCDF and HDF5 with "
            "xarray.open_dataset(path), and a zip archive with zarr.storage.ZipStore(path)"
        )
    is_place = isinstance(source, _PLACES) or type(source).__module__.startswith("obstore")
    if not is_place and not is_session(source):
        return source
    place = resolve_store(source, storage_options=storage_options)
    if find_node(place) is None:
        shown = without_secrets(place)
        raise FileNotFoundError(f"there is no Zarr array or group at {shown}")
    return zarr.open(place, mode="r")


def hierarchy_of(
    source: Any,
    chunks: Any,
    options: Mapping[str, Any] | None,
    zarr_format: int | None,
    limit: int = sys.maxsize,
) -> Hierarchy:
    """Return the arrays and groups that a source becomes.

    Parameters
    ----------
    source
        Zarr array or group, Dask or NumPy array, or Xarray dataset, array or tree.
    chunks, options
        `target_chunks` and `target_options` of `rechunker.rechunk`.
    zarr_format
        Zarr format of the group that will hold the target; None if there is no such group.
    limit
        Bytes of a stored object that fit in memory: none with an "auto" size has more.

    Raises
    ------
    TypeError
        If the source is of another type, or an argument has the wrong type.
    ValueError
        If the source cannot be rechunked, or an argument has a value that is not allowed.
    """
    if isinstance(source, zarr.Array):
        return array_hierarchy(source, chunks, options, zarr_format, limit)
    if isinstance(source, zarr.Group):
        return group_hierarchy(source, chunks, options, zarr_format, limit)
    if is_dask_array(source):
        return dask_hierarchy(source, chunks, options, zarr_format, limit)
    if isinstance(source, np.ndarray):
        return numpy_hierarchy(source, chunks, options, zarr_format, limit)
    if "xarray" in sys.modules:  # otherwise there are no datasets: these are many modules
        from rechunker.sources.xarray import HIERARCHIES, kind_of_xarray

        kind = kind_of_xarray(source)
        if kind is not None:
            return HIERARCHIES[kind](source, chunks, options, zarr_format, limit)
    raise TypeError(
        f"cannot rechunk {type(source).__module__}.{type(source).__qualname__}: the source must "
        "be a path, a URL, a store, a zarr.Array, a zarr.Group, a dask.array.Array, a "
        "numpy.ndarray, or a Dataset, DataArray or DataTree of xarray"
    )
