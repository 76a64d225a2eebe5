"""Attributes and dimension names of a target, stored as its Zarr format requires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zarr

from rechunker.metadata.dimensions import DIMENSIONS, Dimensions, dimension_names
from rechunker.metadata.document import Document

__all__ = ["with_attributes"]


def with_attributes(
    array: zarr.Array[Any], source: Document, document: Document, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the metadata of a target with its attributes and dimension names.

    If the target has another format than its source, the dimension names move from the attribute
    ``_ARRAY_DIMENSIONS`` (Zarr format 2) to ``dimension_names`` (Zarr format 3), or back.

    Parameters
    ----------
    array, source
        Source array, and its metadata.
    document
        Metadata of the target, without attributes and dimension names.
    options
        Options by name. "attributes" replaces all attributes of the source except
        ``_ARRAY_DIMENSIONS``; "dimension_names" replaces the names in either format.

    Raises
    ------
    TypeError
        If "attributes" is not a mapping.
    ValueError
        If "dimension_names" does not fit the array, or the format cannot store the names.
    """
    converts = source["zarr_format"] != document["zarr_format"]
    renames = "dimension_names" in options
    if renames:
        names = _checked_names(options["dimension_names"], array.ndim)
    else:
        names = dimension_names(array, source)
    attributes = _attributes(source["attributes"], options)
    if document["zarr_format"] == 3:
        if converts and names is not None and "attributes" not in options:
            attributes.pop(DIMENSIONS, None)
        changed = {**document, "attributes": attributes}
        return _with_names(changed, names) if converts or renames else changed
    if names is not None and (converts or renames):
        attributes[DIMENSIONS] = _complete_names(names)
    elif renames:
        attributes.pop(DIMENSIONS, None)
    return {**document, "attributes": attributes}


def _attributes(source: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    if "attributes" not in options:
        return dict(source)
    attributes = options["attributes"]
    if not isinstance(attributes, Mapping):
        raise TypeError(f"attributes must be a dict such as {{'units': 'K'}}, got {attributes!r}")
    kept = {DIMENSIONS: source[DIMENSIONS]} if DIMENSIONS in source else {}
    return {**kept, **attributes}


def _with_names(document: Document, names: Dimensions | None) -> dict[str, Any]:
    unnamed = {key: value for key, value in document.items() if key != "dimension_names"}
    return unnamed if names is None else {**unnamed, "dimension_names": list(names)}


def _checked_names(names: Any, ndim: int) -> Dimensions | None:
    if names is None:
        return None
    fits = isinstance(names, list | tuple) and len(names) == ndim
    if not fits or not all(isinstance(name, str | None) for name in names):
        raise ValueError(
            f"dimension_names must hold a name or None for each of the {ndim} axes, "
            f"got {names!r}; give dimension_names=None to remove all names"
        )
    return tuple(names)


def _complete_names(names: Dimensions) -> list[str]:
    known = [name for name in names if name is not None]
    if len(known) < len(names):
        raise ValueError(
            f"Zarr format 2 requires a name for every dimension or for none, got {names}; "
            "give all dimension_names, or dimension_names=None to remove them"
        )
    return known
