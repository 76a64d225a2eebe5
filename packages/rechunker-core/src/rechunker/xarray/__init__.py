"""Accessors: `import rechunker.xarray` adds `.rechunker` to Xarray's datasets, arrays and trees."""

from __future__ import annotations

from rechunker.xarray.accessor import RechunkerAccessor

__all__ = ["RechunkerAccessor"]
