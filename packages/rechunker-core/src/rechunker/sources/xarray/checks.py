"""Checks of datasets: what Zarr cannot store, and what has no values to store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rechunker.sources.xarray.private import is_virtual

if TYPE_CHECKING:
    import xarray

__all__ = ["check_dataset"]


def check_dataset(dataset: xarray.Dataset) -> None:
    """Check that all variables have values, and can be arrays of a Zarr group.

    Parameters
    ----------
    dataset
        Any dataset.

    Raises
    ------
    ValueError
        If a variable has no values, or a name or an index that Zarr cannot store.
    """
    for name, index in dataset.indexes.items():
        if index.nlevels > 1:
            raise ValueError(
                f"coordinate {name!r} is a MultiIndex, which Zarr cannot store; use "
                f"dataset.reset_index({name!r}), or compress its levels with cf_xarray"
            )
    for name, variable in dataset.variables.items():
        if is_virtual(variable):
            raise ValueError(
                f"variable {name!r} is virtual: it refers to chunks in other files, and has no "
                "values; write the references with dataset.vz.to_icechunk(...) or "
                "dataset.vz.to_kerchunk(...), open these with Xarray, and rechunk that dataset"
            )
        if not isinstance(name, str) or name in ("", ".", "..") or "/" in name:
            raise ValueError(
                f"{name!r} cannot be the name of a Zarr array, which must be a string without "
                "'/' and not empty, '.' or '..'; rename the variable"
            )
