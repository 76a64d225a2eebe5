"""Dimension names of a Zarr array, as Xarray or NCZarr stores them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zarr

from rechunker.stores import read_json

__all__ = ["DIMENSIONS", "Dimensions", "dimension_names"]

DIMENSIONS = "_ARRAY_DIMENSIONS"
Dimensions = tuple[str | None, ...]
_NCZARR = (("_NCZARR_ARRAY", "dimrefs"), ("_nczarr_array", "dimension_references"))


def dimension_names(
    array: zarr.Array[Any], document: Mapping[str, Any] | None = None
) -> Dimensions | None:
    """Return the dimension names of an array, as Xarray reads them.

    Parameters
    ----------
    array
        Array of either format. Zarr format 3 keeps the names in the metadata. Zarr format 2
        keeps them in the attribute ``_ARRAY_DIMENSIONS``, or as references to dimensions of a
        group if NCZarr wrote the array.
    document
        Its metadata, if they are known; otherwise the store is asked about an array of format 2.

    Returns
    -------
    tuple of str or None, or None
        One name per axis, None for an axis without a name; None if no axis has a name.
    """
    names: Any = getattr(array.metadata, "dimension_names", None)
    if names is None or not _has_a_name(names):
        names = array.attrs.get(DIMENSIONS)
    if names is None and array.metadata.zarr_format == 2:
        stored = read_json(array.store_path / ".zarray") if document is None else document
        names = _nczarr_names(array, stored)
    fits = isinstance(names, list | tuple) and len(names) == array.ndim
    if not fits or not all(name is None or isinstance(name, str) for name in names):
        return None
    return tuple(names) if _has_a_name(names) else None


def _has_a_name(names: Any) -> bool:
    return any(name is not None for name in names)


def _nczarr_names(array: zarr.Array[Any], stored: Mapping[str, Any]) -> list[str] | None:
    """Return the names that NCZarr stores in keys of its own, which Zarr drops on reading."""
    for key, references in _NCZARR:
        entry = stored.get(key, array.attrs.get(key))
        if isinstance(entry, Mapping) and isinstance(entry.get(references), list):
            return [str(path).rpartition("/")[2] for path in entry[references]]
    return None
