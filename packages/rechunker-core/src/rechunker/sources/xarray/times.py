"""Encoded times: restores the spelling of units and the last bit of floats that Xarray changes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rechunker.metadata import Document

if TYPE_CHECKING:
    import xarray

__all__ = ["exact_times", "with_source_units"]


def with_source_units(document: Document, units: Any) -> Document:
    """Return metadata with the units spelled as in the source, if both spellings mean the same.

    Parameters
    ----------
    document
        Metadata of an array as Xarray encodes it.
    units
        Units in the source; None if there are none.

    Examples
    --------
    >>> written = {"attributes": {"units": "days since 2000-01-01", "calendar": "standard"}}
    >>> with_source_units(written, "days since 2000-01-01 00:00:00")["attributes"]["units"]
    'days since 2000-01-01 00:00:00'
    >>> with_source_units(written, "days since 2001-01-01 00:00:00")["attributes"]["units"]
    'days since 2000-01-01'
    """
    attributes = document["attributes"]
    written = attributes.get("units")
    if not isinstance(units, str) or not isinstance(written, str) or units == written:
        return document
    calendar = attributes.get("calendar", "standard")
    probe = np.array([0, 1])
    one, other = (_decode(probe, {"units": u, "calendar": calendar}) for u in (units, written))
    if "since" not in units or one is None or other is None or not _is_equal(one, other):
        return document
    return {**document, "attributes": {**attributes, "units": units}}


def _is_equal(one: xarray.Variable, other: xarray.Variable) -> bool:
    return one.dtype == other.dtype and bool((one.values == other.values).all())


def exact_times(
    encoded: npt.NDArray[Any], attributes: dict[str, Any], values: xarray.Variable
) -> npt.NDArray[Any]:
    """Return encoded floats that are decoded to exactly the times they were encoded from.

    Decoding truncates to whole nanoseconds, so the float nearest to a time may be decoded to the
    nanosecond before it. The next float is decoded to the time itself.

    Parameters
    ----------
    encoded
        Times as Xarray encodes them; returned unchanged unless they are floats.
    attributes
        Attributes with the units and the calendar.
    values
        Times in the source.
    """
    if encoded.dtype.kind != "f" or values.dtype.kind not in "mM":
        return encoded
    attributes = {key: attributes[key] for key in attributes if key in ("units", "calendar")}
    exact, wrong = encoded, _is_decoded_wrongly(encoded, attributes, values)
    for toward in (np.inf, -np.inf):
        if not wrong.any():
            break
        neighbor = np.nextafter(encoded, np.array(toward, encoded.dtype))
        tried = np.where(wrong, neighbor, exact)
        wrong = _is_decoded_wrongly(tried, attributes, values)
        exact = np.where(wrong, exact, tried)
    return exact


def _is_decoded_wrongly(
    encoded: npt.NDArray[Any], attributes: dict[str, Any], values: xarray.Variable
) -> npt.NDArray[np.bool_]:
    decoded = _decode(encoded, attributes)
    if decoded is None or decoded.dtype != values.dtype:  # not comparable, so nothing to correct
        return np.zeros(encoded.shape, np.bool_)
    return np.asarray((decoded.values != values.values) & ~np.isnat(values.values))


def _decode(encoded: npt.NDArray[Any], attributes: dict[str, Any]) -> xarray.Variable | None:
    """Return decoded times, or None if Xarray cannot decode them."""
    import xarray

    dims = [f"axis_{axis}" for axis in range(encoded.ndim)]
    dataset = xarray.Dataset({"times": (dims, encoded, attributes)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return xarray.decode_cf(dataset, decode_timedelta=True).variables["times"]
        except (ValueError, OverflowError, ModuleNotFoundError):
            return None
