"""Xarray datasets and trees as sources."""

from __future__ import annotations

from rechunker.sources.xarray.dataset import dataset_hierarchy, kind_of_xarray
from rechunker.sources.xarray.datatree import datatree_hierarchy

__all__ = [
    "dataset_hierarchy",
    "datatree_hierarchy",
    "kind_of_xarray",
]
