"""Names of an array's dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zarr

from rechunker.stores import read_json

__all__ = ["DIMENSIONS", "Dimensions", "dimension_names"]

DIMENSIONS = "_ARRAY_DIMENSIONS"
Dimensions = tuple[str | None, ...]
_NCZARR = (("_NCZARR_ARRAY", "dimrefs"), ("_nczarr_array", "dimension_references"))


def dimension_names(array: zarr.Array[Any]) -> Dimensions | None:
    """Return the names of an array's dimensions, as Xarray reads them.

    Parameters
    ----------
    array
        Of either format: names are metadata in v3, and in v2 the attribute
        ``_ARRAY_DIMENSIONS`` or, as NCZarr writes them, references to dimensions of a group.

    Returns
    -------
    tuple of str or None, or None
        None for an axis without a name, and for an array without any.
    """
    names: Any = getattr(array.metadata, "dimension_names", None)
    if names is None or not _has_a_name(names):
        names = array.attrs.get(DIMENSIONS)
    if names is None and array.metadata.zarr_format == 2:
        names = _nczarr_names(array)
    fits = isinstance(names, list | tuple) and len(names) == array.ndim
    if not fits or not all(name is None or isinstance(name, str) for name in names):
        return None
    return tuple(names) if _has_a_name(names) else None


def _has_a_name(names: Any) -> bool:
    return any(name is not None for name in names)


def _nczarr_names(array: zarr.Array[Any]) -> list[str] | None:
    """Return the names in NCZarr's own keys, which Zarr itself leaves out of its metadata."""
    stored = read_json(array.store_path / ".zarray")
    for key, references in _NCZARR:
        entry = stored.get(key, array.attrs.get(key))
        if isinstance(entry, Mapping) and isinstance(entry.get(references), list):
            return [str(path).rpartition("/")[2] for path in entry[references]]
    return None
