"""Kinds of sources: finds the kind of a source, and returns its hierarchy."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import zarr

from rechunker.sources.base import Hierarchy
from rechunker.sources.dask import dask_hierarchy, is_dask_array
from rechunker.sources.zarr_array import array_hierarchy
from rechunker.sources.zarr_group import group_hierarchy

__all__ = ["hierarchy_of"]


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
        Zarr array or group, Dask array, or Xarray dataset or tree.
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
    if "xarray" in sys.modules:  # otherwise there are no datasets: these are many modules
        from rechunker.sources.xarray import dataset_hierarchy, datatree_hierarchy, kind_of_xarray

        if kind_of_xarray(source) == "Dataset":
            return dataset_hierarchy(source, chunks, options, zarr_format, limit)
        if kind_of_xarray(source) == "DataTree":
            return datatree_hierarchy(source, chunks, options, zarr_format, limit)
    raise TypeError(
        f"cannot rechunk {type(source).__module__}.{type(source).__qualname__}: the source must "
        "be a zarr.Array or zarr.Group (open a path with zarr.open), a dask.array.Array, an "
        "xarray.Dataset (convert a DataArray with to_dataset(name=...)) or an xarray.DataTree"
    )
