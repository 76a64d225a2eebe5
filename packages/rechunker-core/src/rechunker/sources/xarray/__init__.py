"""Xarray datasets, arrays and trees as sources."""

from __future__ import annotations

from collections.abc import Callable

from rechunker.sources.base import Hierarchy
from rechunker.sources.xarray.dataarray import dataarray_hierarchy
from rechunker.sources.xarray.dataset import dataset_hierarchy, kind_of_xarray
from rechunker.sources.xarray.datatree import datatree_hierarchy

__all__ = ["HIERARCHIES", "kind_of_xarray"]

HIERARCHIES: dict[str, Callable[..., Hierarchy]] = {
    "DataArray": dataarray_hierarchy,
    "DataTree": datatree_hierarchy,
    "Dataset": dataset_hierarchy,
}
"""What returns the hierarchy of a source, by what `kind_of_xarray` says it is."""
