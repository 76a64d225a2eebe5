"""Sources: everything that can be rechunked, turned into a hierarchy of array requests."""

from __future__ import annotations

from rechunker.sources.base import ArrayRequest, Hierarchy, SourceArray
from rechunker.sources.dask import DaskReader, check_block
from rechunker.sources.kinds import hierarchy_of, open_source
from rechunker.sources.numpy_array import numpy_source
from rechunker.sources.paths import by_path
from rechunker.sources.saved import source_from_json, source_to_json

__all__ = [
    "ArrayRequest",
    "DaskReader",
    "Hierarchy",
    "SourceArray",
    "by_path",
    "check_block",
    "hierarchy_of",
    "numpy_source",
    "open_source",
    "source_from_json",
    "source_to_json",
]
