"""Xarray datasets as sources."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from rechunker.sources.base import Hierarchy

__all__ = ["dataset_hierarchy", "kind_of_xarray"]


def kind_of_xarray(source: Any) -> str | None:
    """Return the name of the class of xarray; xarray is not imported to find out."""
    xarray = sys.modules.get("xarray")
    names = ("Dataset", "DataTree", "DataArray")
    found = (name for name in names if isinstance(source, getattr(xarray, name, ())))
    return next(found, None)


def dataset_hierarchy(
    dataset: Any, chunks: Any, options: Mapping[str, Any] | None, zarr_format: Any
) -> Hierarchy:
    """Return what a dataset becomes."""
    raise NotImplementedError
