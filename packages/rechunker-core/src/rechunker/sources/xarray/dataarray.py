"""Hierarchies of Xarray arrays: datasets that `xarray.open_dataarray` opens as the same array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rechunker.sources.base import Hierarchy
from rechunker.sources.xarray.dataset import dataset_hierarchy

if TYPE_CHECKING:
    import xarray

__all__ = ["dataarray_hierarchy"]

# What DataArray.to_zarr writes where an array has no name of its own, or that of a coordinate, and
# what open_dataarray looks for (Xarray 2025.1 to 2026.9).
_VARIABLE, _NAME = "__xarray_dataarray_variable__", "__xarray_dataarray_name__"


def dataarray_hierarchy(
    array: xarray.DataArray,
    chunks: Any,
    options: Mapping[str, Any] | None,
    zarr_format: Any,
    limit: int,
) -> Hierarchy:
    """Return the hierarchy of an array with its coordinates: a group, as of a dataset.

    Parameters
    ----------
    array
        Any array that Xarray can write to Zarr.
    chunks
        Target chunks of the array, one size per axis or one for all; or what a dataset takes.
    options
        What a dataset takes: encodings by variable name.
    zarr_format
        Zarr format of the group that will hold the target; None if there is no such group.
    limit
        Bytes of a stored object that fit in memory.

    Raises
    ------
    TypeError, ValueError
        If the chunks or the options are not allowed, or Xarray cannot write the array.
    """
    dataset = _dataset(array)
    if chunks is not None and not isinstance(chunks, Mapping):
        (name,) = dataset.data_vars
        chunks = {name: chunks}
    return dataset_hierarchy(dataset, chunks, options, zarr_format, limit)


def _dataset(array: xarray.DataArray) -> xarray.Dataset:
    if array.name is None:
        return array.to_dataset(name=_VARIABLE)
    if array.name in array.coords or array.name in array.dims:
        return array.to_dataset(name=_VARIABLE).assign_attrs({_NAME: array.name})
    return array.to_dataset()
