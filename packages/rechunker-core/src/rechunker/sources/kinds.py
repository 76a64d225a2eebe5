"""Which kind of source something is, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zarr

from rechunker.sources.base import Hierarchy
from rechunker.sources.dask import dask_hierarchy, is_dask_array
from rechunker.sources.xarray import dataset_hierarchy, datatree_hierarchy, kind_of_xarray
from rechunker.sources.zarr_array import array_hierarchy
from rechunker.sources.zarr_group import group_hierarchy

__all__ = ["hierarchy_of"]


def hierarchy_of(
    source: Any, chunks: Any, options: Mapping[str, Any] | None, zarr_format: int | None
) -> Hierarchy:
    """Return what a source becomes.

    Parameters
    ----------
    source
        Anything that can be rechunked.
    chunks, options
        `target_chunks` and `target_options` of `rechunker.rechunk`.
    zarr_format
        Of the group that is to hold the target; None if it is in no group.

    Raises
    ------
    TypeError
        If the source cannot be rechunked.
    """
    if isinstance(source, zarr.Array):
        return array_hierarchy(source, chunks, options, zarr_format)
    if isinstance(source, zarr.Group):
        return group_hierarchy(source, chunks, options, zarr_format)
    if is_dask_array(source):
        return dask_hierarchy(source, chunks, options, zarr_format)
    if kind_of_xarray(source) == "Dataset":
        return dataset_hierarchy(source, chunks, options, zarr_format)
    if kind_of_xarray(source) == "DataTree":
        return datatree_hierarchy(source, chunks, options, zarr_format)
    raise TypeError(
        f"cannot rechunk {type(source).__module__}.{type(source).__qualname__}: give a "
        "zarr.Array or a zarr.Group, as zarr.open(path) returns them, a dask array, or a "
        "Dataset or DataTree of xarray (of a DataArray its to_dataset(name=...))"
    )
