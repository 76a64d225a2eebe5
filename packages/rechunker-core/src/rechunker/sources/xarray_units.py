"""The text of units of time, which xarray spells in its own way when it encodes them."""

from __future__ import annotations

import warnings
from typing import Any

from rechunker.metadata import Document

__all__ = ["with_text_of_units"]


def with_text_of_units(document: Document, units: Any) -> Document:
    """Return metadata with units spelled as they were, if that means the same.

    Parameters
    ----------
    document
        Metadata of an array, as xarray has encoded it.
    units
        As they were in the source; None if there were none.

    Examples
    --------
    >>> written = {"attributes": {"units": "days since 2000-01-01", "calendar": "noleap"}}
    >>> with_text_of_units(written, "days since 2000-01-01 00:00:00")["attributes"]["units"]
    'days since 2000-01-01 00:00:00'
    >>> with_text_of_units(written, "days since 2001-01-01 00:00:00")["attributes"]["units"]
    'days since 2000-01-01'
    """
    attributes = document["attributes"]
    written = attributes.get("units")
    if not isinstance(units, str) or not isinstance(written, str) or units == written:
        return document
    if not _mean_the_same(units, written, attributes.get("calendar", "standard")):
        return document
    return {**document, "attributes": {**attributes, "units": units}}


def _mean_the_same(one: str, other: str, calendar: Any) -> bool:
    import xarray

    def decoded(units: str) -> xarray.Dataset:
        words = {"units": units, "calendar": calendar}
        return xarray.decode_cf(xarray.Dataset({"time": ("t", [0, 1], words)}))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return "since" in one and decoded(one).equals(decoded(other))
        except (ValueError, OverflowError, ModuleNotFoundError):
            return False
