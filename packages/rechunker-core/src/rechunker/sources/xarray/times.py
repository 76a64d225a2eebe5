"""Times, of which xarray neither keeps the text of units nor, as floats, always the last bit."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rechunker.metadata import Document

if TYPE_CHECKING:
    import xarray

__all__ = ["exact_times", "with_text_of_units"]


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
    >>> written = {"attributes": {"units": "days since 2000-01-01", "calendar": "standard"}}
    >>> with_text_of_units(written, "days since 2000-01-01 00:00:00")["attributes"]["units"]
    'days since 2000-01-01 00:00:00'
    >>> with_text_of_units(written, "days since 2001-01-01 00:00:00")["attributes"]["units"]
    'days since 2000-01-01'
    """
    attributes = document["attributes"]
    written = attributes.get("units")
    if not isinstance(units, str) or not isinstance(written, str) or units == written:
        return document
    calendar = attributes.get("calendar", "standard")
    probe = np.array([0, 1])
    one, other = (_decoded(probe, {"units": u, "calendar": calendar}) for u in (units, written))
    if "since" not in units or one is None or other is None or not _alike(one, other):
        return document
    return {**document, "attributes": {**attributes, "units": units}}


def _alike(one: xarray.Variable, other: xarray.Variable) -> bool:
    return one.dtype == other.dtype and bool((one.values == other.values).all())


def exact_times(
    encoded: npt.NDArray[Any], attributes: dict[str, Any], values: xarray.Variable
) -> npt.NDArray[Any]:
    """Return floats that stand for the very times they were encoded from.

    Decoding cuts off what is below a nanosecond, so that a float which is the nearest one to a
    time may be decoded to the nanosecond before it. The float next to it is not.

    Parameters
    ----------
    encoded
        As xarray has encoded the times.
    attributes
        What they are decoded with.
    values
        The times.
    """
    if encoded.dtype.kind != "f" or values.dtype.kind not in "mM":
        return encoded
    words = {word: attributes[word] for word in attributes if word in ("units", "calendar")}
    exact, wrong = encoded, _is_wrong(encoded, words, values)
    for toward in (np.inf, -np.inf):
        if not wrong.any():
            break
        near = np.where(wrong, np.nextafter(encoded, np.array(toward, encoded.dtype)), exact)
        still = _is_wrong(near, words, values)
        exact, wrong = np.where(still, exact, near), still
    return exact


def _is_wrong(
    encoded: npt.NDArray[Any], words: dict[str, Any], values: xarray.Variable
) -> npt.NDArray[np.bool_]:
    decoded = _decoded(encoded, words)
    if decoded is None or decoded.dtype != values.dtype:  # these are not just floats since then
        return np.zeros(encoded.shape, np.bool_)
    return np.asarray((decoded.values != values.values) & ~np.isnat(values.values))


def _decoded(encoded: npt.NDArray[Any], words: dict[str, Any]) -> xarray.Variable | None:
    """Return times, or None where xarray cannot decode these."""
    import xarray

    dims = [f"axis_{axis}" for axis in range(encoded.ndim)]
    dataset = xarray.Dataset({"times": (dims, encoded, words)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return xarray.decode_cf(dataset, decode_timedelta=True).variables["times"]
        except (ValueError, OverflowError, ModuleNotFoundError):
            return None
