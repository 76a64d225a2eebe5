"""Sources: everything that can be rechunked, turned into a hierarchy of array requests."""

from __future__ import annotations

from rechunker.sources.base import ArrayRequest, Hierarchy, SourceArray
from rechunker.sources.dask import DaskReader, check_block
from rechunker.sources.kinds import hierarchy_of, open_source
from rechunker.sources.numpy_array import numpy_source
from rechunker.sources.options_by_array import Given, options_by_array
from rechunker.sources.saved import source_from_json, source_to_json
from rechunker.sources.target_chunks import Members

__all__ = [
    "ArrayRequest",
    "DaskReader",
    "Given",
    "Hierarchy",
    "Members",
    "SourceArray",
    "check_block",
    "hierarchy_of",
    "numpy_source",
    "open_source",
    "options_by_array",
    "source_from_json",
    "source_to_json",
]
