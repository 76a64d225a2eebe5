"""Xarray's DataTree as a source: a dataset in each of its groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rechunker.sources.base import Hierarchy

__all__ = ["datatree_hierarchy"]


def datatree_hierarchy(
    tree: Any, chunks: Any, options: Mapping[str, Any] | None, zarr_format: Any
) -> Hierarchy:
    """Return what a tree becomes."""
    raise NotImplementedError
