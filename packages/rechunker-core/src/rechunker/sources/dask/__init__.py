"""Dask arrays as sources."""

from __future__ import annotations

from rechunker.sources.dask.array import (
    dask_hierarchy,
    dask_source,
    is_dask_array,
    opened_by,
    regular_blocks,
)
from rechunker.sources.dask.reader import DaskReader, checked

__all__ = [
    "DaskReader",
    "checked",
    "dask_hierarchy",
    "dask_source",
    "is_dask_array",
    "opened_by",
    "regular_blocks",
]
