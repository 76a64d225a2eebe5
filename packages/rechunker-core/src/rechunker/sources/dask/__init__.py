"""Dask arrays as sources: each task computes the blocks that it reads."""

from __future__ import annotations

from rechunker.sources.dask.array import (
    dask_hierarchy,
    dask_source,
    is_dask_array,
    regular_blocks,
)
from rechunker.sources.dask.private import opened_by, opened_unchanged
from rechunker.sources.dask.reader import DaskReader, check_block

__all__ = [
    "DaskReader",
    "check_block",
    "dask_hierarchy",
    "dask_source",
    "is_dask_array",
    "opened_by",
    "opened_unchanged",
    "regular_blocks",
]
