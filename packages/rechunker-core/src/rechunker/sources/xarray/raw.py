"""Variables whose stored numbers can be copied as they are, without decoding and encoding them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from zarr.storage import StorePath

from rechunker.sources.xarray.private import stored_array
from rechunker.sources.xarray.words import CF_WORDS

if TYPE_CHECKING:
    import xarray

__all__ = ["Raw", "find_raw"]


@dataclass(frozen=True)
class Raw:
    """What is stored of a variable.

    Parameters
    ----------
    array
        The Zarr array.
    variable
        The same, opened by xarray and not decoded.
    """

    array: zarr.Array[Any]
    variable: xarray.Variable

    @property
    def is_plain(self) -> bool:
        """Whether these are numbers that xarray writes, undecoded, as they are."""
        return self.array.dtype.kind in "biufc"

    def fits(self, zarr_format: int) -> bool:
        """Say whether a format can hold these elements with all that tells what they mean."""
        same = self.array.metadata.zarr_format == zarr_format
        # Each format has its own way to store a value for what is missing, and its own words.
        return same or self.is_plain or "_FillValue" not in self.variable.attrs


def find_raw(
    dataset: xarray.Dataset, encodings: Mapping[str, Mapping[str, Any]], zarr_format: int
) -> dict[str, Raw]:
    """Return what is stored of the variables that nothing was done to since they were opened.

    Parameters
    ----------
    dataset
        Any dataset.
    encodings
        By name of the variable, how it is to be encoded in the target.
    zarr_format
        Of the target.

    Returns
    -------
    dict
        By name of the variable: those whose stored numbers, with the encoding that is wanted,
        mean the values of the dataset.
    """
    arrays = {str(name): stored_array(var) for name, var in dataset.variables.items()}
    groups = _Groups({})
    found: dict[str, Raw] = {}
    for name, array in arrays.items():
        raw = groups.raw(array) if array is not None else None
        if raw is not None and _is_same(dataset.variables[name], encodings[name], raw.variable):
            found[name] = raw
    for name in map(str, dataset.xindexes):
        for raw in groups.named(name):
            variable = dataset.variables[name]
            if _is_same(variable, encodings[name], raw.variable) and _means(raw, variable):
                found[name] = raw
    return {name: raw for name, raw in found.items() if raw.fits(zarr_format)}


@dataclass(frozen=True)
class _Groups:
    """Groups of Zarr arrays, opened by xarray without decoding, by their places."""

    opened: dict[tuple[int, str], tuple[StorePath, xarray.Dataset]]

    def raw(self, array: zarr.Array[Any]) -> Raw | None:
        path, _, name = array.store_path.path.rpartition("/")
        place = StorePath(array.store_path.store, path)
        key = (id(place.store), path)
        if key not in self.opened:
            self.opened[key] = (place, _open_raw(place))
        variable = self.opened[key][1].variables.get(name)
        return None if variable is None else Raw(array, variable)

    def named(self, name: str) -> Iterator[Raw]:
        """Yield the arrays of a name in any of the groups."""
        for place, group in self.opened.values():
            if name in group.variables:
                yield Raw(zarr.open_array(place / name, mode="r"), group.variables[name])


def _open_raw(place: StorePath) -> xarray.Dataset:
    import xarray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user has seen them when the dataset was opened
        return xarray.open_dataset(
            place.store,  # type: ignore[arg-type]
            engine="zarr",
            group=place.path or None,
            decode_cf=False,
            chunks=None,
            cache=False,
        )


def _is_same(variable: xarray.Variable, encoding: Mapping[str, Any], raw: xarray.Variable) -> bool:
    """Say whether all that makes numbers into values is as it was when the variable was opened.

    What was used to decode is in the encoding since then; what was not is in the attributes.
    """
    if variable.shape != raw.shape or _is_turned(variable.dims, raw.dims):
        return False
    words = [word for word in CF_WORDS if word != "dtype"]
    if any(encoding.get(word) is not None and word in variable.attrs for word in words):
        return False
    decoded = [word for word in words if word not in variable.attrs]
    return _same_dtype(encoding.get("dtype"), raw) and all(
        _equal(encoding.get(word), raw.attrs.get(word)) for word in decoded
    )


def _is_turned(dims: tuple[Any, ...], stored: tuple[Any, ...]) -> bool:
    return dims != stored and set(dims) == set(stored)


def _same_dtype(wanted: Any, raw: xarray.Variable) -> bool:
    if wanted is None:
        return True
    if raw.attrs.get("dtype") == "bool" and np.dtype(wanted) == np.dtype(bool):
        return True
    kind, stored = np.dtype(wanted), np.dtype(raw.dtype)
    return kind == stored or (kind.kind in "OT" and stored.kind in "OT")


def _equal(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    one, other = np.asarray(a), np.asarray(b)
    if one.dtype.kind != other.dtype.kind or one.shape != other.shape:
        return False
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")


def _means(raw: Raw, variable: xarray.Variable) -> bool:
    """Say whether stored numbers, decoded in one of the usual ways, are these values."""
    return any(
        decoded.dtype == variable.dtype and _equal(decoded.values, variable.values)
        for decoded in _decoded(raw.variable)
    )


def _decoded(raw: xarray.Variable) -> Iterator[xarray.Variable]:
    import xarray

    yield raw
    alone = xarray.Dataset({"values": (raw.dims, raw.values, raw.attrs)})
    for timedelta in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                yield xarray.decode_cf(alone, decode_timedelta=timedelta).variables["values"]
            except (ValueError, OverflowError, TypeError):
                return  # the user has decoded it in another way, or not at all
