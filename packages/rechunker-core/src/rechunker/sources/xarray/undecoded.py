"""Undecoded variables: their stored values can be copied without decoding and encoding them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import zarr
from zarr.storage import StorePath

from rechunker.metadata import REFUSALS, check_codecs_of_source, document_of, refusal
from rechunker.sources.xarray.encoding_keys import DECODING_KEYS
from rechunker.sources.xarray.private import arrays_read, stored_array

if TYPE_CHECKING:
    import xarray

__all__ = ["ArraysRead", "UndecodedVariable", "checked_arrays", "find_undecoded"]

ArraysRead: TypeAlias = tuple[tuple[zarr.Array[Any], bool], ...]
"""Zarr arrays that a variable reads, each with whether Xarray opened it in a group."""


@dataclass(frozen=True)
class UndecodedVariable:
    """A variable as it is stored.

    Parameters
    ----------
    array
        Zarr array that holds the values.
    variable
        The same array, opened by Xarray without decoding.
    """

    array: zarr.Array[Any]
    variable: xarray.Variable

    @property
    def is_numeric(self) -> bool:
        """Whether the stored values are numbers or bools, which Xarray writes unchanged."""
        return self.array.dtype.kind in "biufc"

    def fits(self, zarr_format: int) -> bool:
        """Return whether a Zarr format can hold the stored values and their decoding keys.

        Parameters
        ----------
        zarr_format
            Zarr format of the target.
        """
        same = self.array.metadata.zarr_format == zarr_format
        # Each format has its own way to store a fill value that is not a number.
        return same or self.is_numeric or "_FillValue" not in self.variable.attrs


def checked_arrays(dataset: xarray.Dataset) -> dict[str, ArraysRead]:
    """Return the Zarr arrays that a dataset reads, by name of the variable that reads them.

    Parameters
    ----------
    dataset
        Any dataset.

    Raises
    ------
    ValueError
        If an array has a codec that runs code.
    """
    found: dict[str, ArraysRead] = {}
    for name, variable in dataset.variables.items():
        read = tuple(arrays_read(variable))
        try:
            for array, _ in read:
                check_codecs_of_source(document_of(array))
        except REFUSALS as error:
            raise refusal(f"variable {name!r} cannot be read", error) from error
        found[str(name)] = read
    return found


def find_undecoded(
    dataset: xarray.Dataset, encodings: Mapping[str, Mapping[str, Any]], zarr_format: int
) -> dict[str, UndecodedVariable]:
    """Return the variables that are unchanged since they were opened from Zarr.

    Parameters
    ----------
    dataset
        Any dataset.
    encodings
        Encodings in the target by variable name.
    zarr_format
        Zarr format of the target.

    Returns
    -------
    dict
        By variable name: the variables whose stored values, decoded with the encoding in the
        target, are the values in the dataset.
    """
    arrays = {str(name): stored_array(var) for name, var in dataset.variables.items()}
    groups = _UndecodedGroups({})
    undecoded: dict[str, UndecodedVariable] = {}
    for name, array in arrays.items():
        stored = groups.variable_of(array) if array is not None else None
        if stored is not None and _has_same_encoding(
            dataset.variables[name], encodings[name], stored.variable
        ):
            undecoded[name] = stored
    # Xarray loads the coordinates of indexes, so no Zarr array can be found behind these.
    for name in map(str, dataset.xindexes):
        variable = dataset.variables[name]
        for stored in groups.named(name):
            if _has_same_encoding(variable, encodings[name], stored.variable) and _has_same_values(
                variable, stored.variable
            ):
                undecoded[name] = stored
    return {name: stored for name, stored in undecoded.items() if stored.fits(zarr_format)}


@dataclass(frozen=True)
class _UndecodedGroups:
    """Groups around Zarr arrays, by store and path, opened by Xarray without decoding."""

    opened: dict[tuple[int, str], tuple[StorePath, xarray.Dataset]]

    def variable_of(self, array: zarr.Array[Any]) -> UndecodedVariable | None:
        """Return the variable of a Zarr array."""
        path, _, name = array.store_path.path.rpartition("/")
        place = StorePath(array.store_path.store, path)
        key = (id(place.store), path)
        if key not in self.opened:
            try:
                self.opened[key] = (place, _open_undecoded(place))
            except REFUSALS as error:
                raise refusal(f"{place} cannot be opened by Xarray undecoded", error) from error
        variable = self.opened[key][1].variables.get(name)
        return None if variable is None else UndecodedVariable(array, variable)

    def named(self, name: str) -> Iterator[UndecodedVariable]:
        """Yield the variables with a name, of all groups that were opened."""
        for place, group in self.opened.values():
            if name in group.variables:
                try:
                    array = zarr.open_array(place / name, mode="r")
                except REFUSALS as error:
                    raise refusal(f"{place / name} cannot be opened", error) from error
                yield UndecodedVariable(array, group.variables[name])


def _open_undecoded(place: StorePath) -> xarray.Dataset:
    import xarray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user saw them when opening the dataset
        return xarray.open_dataset(
            place.store,  # type: ignore[arg-type]
            engine="zarr",
            group=place.path or None,
            decode_cf=False,
            chunks=None,
            cache=False,
        )


def _has_same_encoding(
    variable: xarray.Variable, encoding: Mapping[str, Any], stored: xarray.Variable
) -> bool:
    """Return whether the stored values would be decoded to the variable's with this encoding.

    A decoding key moves from the attributes to the encoding if Xarray uses it to decode, and
    stays in the attributes if not.
    """
    if variable.shape != stored.shape or _is_transposed(variable.dims, stored.dims):
        return False
    keys = [key for key in DECODING_KEYS if key != "dtype"]
    if any(encoding.get(key) is not None and key in variable.attrs for key in keys):
        return False
    used = [key for key in keys if key not in variable.attrs]
    return _has_same_dtype(encoding.get("dtype"), stored) and all(
        _is_equal(encoding.get(key), stored.attrs.get(key)) for key in used
    )


def _is_transposed(dims: tuple[Any, ...], stored_dims: tuple[Any, ...]) -> bool:
    return dims != stored_dims and set(dims) == set(stored_dims)


def _has_same_dtype(encoded_dtype: Any, stored: xarray.Variable) -> bool:
    if encoded_dtype is None:
        return True
    if stored.attrs.get("dtype") == "bool" and np.dtype(encoded_dtype) == np.dtype(bool):
        return True
    dtype, stored_dtype = np.dtype(encoded_dtype), np.dtype(stored.dtype)
    return dtype == stored_dtype or (dtype.kind in "OT" and stored_dtype.kind in "OT")


def _is_equal(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    first, second = np.asarray(a), np.asarray(b)
    if first.dtype.kind != second.dtype.kind or first.shape != second.shape:
        return False
    return np.array_equal(first, second, equal_nan=first.dtype.kind in "fc")


def _has_same_values(variable: xarray.Variable, stored: xarray.Variable) -> bool:
    """Return whether the stored values are those of a variable, in any way to decode them."""
    return any(
        decoded.dtype == variable.dtype and _is_equal(decoded.values, variable.values)
        for decoded in _decodings(stored)
    )


def _decodings(stored: xarray.Variable) -> Iterator[xarray.Variable]:
    """Yield the stored variable undecoded, and decoded with and without timedeltas."""
    import xarray

    yield stored
    dataset = xarray.Dataset({"values": (stored.dims, stored.values, stored.attrs)})
    for timedelta in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                yield xarray.decode_cf(dataset, decode_timedelta=timedelta).variables["values"]
            except (ValueError, OverflowError, TypeError):
                return  # then the user opened it with other arguments
