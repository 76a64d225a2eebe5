"""Attributes and names of dimensions of a target, each where its format has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zarr

from rechunker.metadata.dimensions import DIMENSIONS, Dimensions, dimension_names
from rechunker.metadata.document import Document

__all__ = ["with_attributes"]


def with_attributes(
    array: zarr.Array[Any], source: Document, document: Document, words: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the metadata of a target with its attributes and names of dimensions.

    Between formats names move from the attribute ``_ARRAY_DIMENSIONS`` (v2) to
    ``dimension_names`` (v3), or back.

    Parameters
    ----------
    array, source
        The source, and its metadata.
    document
        Metadata of the target without them.
    words
        Options by name: "attributes" take the place of all those of the source but
        ``_ARRAY_DIMENSIONS``, and "dimension_names" that of names in either format.

    Raises
    ------
    TypeError, ValueError
        If the options are of a wrong type, or the format cannot hold the names.
    """
    moves = source["zarr_format"] != document["zarr_format"]
    named = "dimension_names" in words
    names = _checked(words["dimension_names"], array.ndim) if named else dimension_names(array)
    attributes = _attributes(source["attributes"], words)
    if document["zarr_format"] == 3:
        if moves and names is not None and "attributes" not in words:
            attributes.pop(DIMENSIONS, None)
        changed = {**document, "attributes": attributes}
        return _with_names(changed, names) if moves or named else changed
    if names is not None and (moves or named):
        attributes[DIMENSIONS] = _complete(names)
    elif named:
        attributes.pop(DIMENSIONS, None)
    return {**document, "attributes": attributes}


def _attributes(own: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    if "attributes" not in words:
        return dict(own)
    given = words["attributes"]
    if not isinstance(given, Mapping):
        raise TypeError(f"attributes: give a dict, not {given!r}")
    kept = {DIMENSIONS: own[DIMENSIONS]} if DIMENSIONS in own else {}
    return {**kept, **given}


def _with_names(document: Document, names: Dimensions | None) -> dict[str, Any]:
    unnamed = {key: value for key, value in document.items() if key != "dimension_names"}
    return unnamed if names is None else {**unnamed, "dimension_names": list(names)}


def _checked(names: Any, ndim: int) -> Dimensions | None:
    if names is None:
        return None
    fits = isinstance(names, list | tuple) and len(names) == ndim
    if not fits or not all(isinstance(name, str | None) for name in names):
        raise ValueError(
            f"dimension_names: give {ndim} names, one per axis (None for an axis without), "
            f"not {names!r}"
        )
    return tuple(names)


def _complete(names: Dimensions) -> list[str]:
    known = [name for name in names if name is not None]
    if len(known) < len(names):
        raise ValueError(
            f"Zarr format 2 has a name for every dimension or for none, and here they are {names}; "
            "give dimension_names (None for none)"
        )
    return known
