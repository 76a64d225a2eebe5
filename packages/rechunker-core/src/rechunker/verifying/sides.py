"""Sides: whatever has values, as arrays that can be read, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from zarr.storage import StorePath

from rechunker.sources import SourceArray, hierarchy_of, numpy_source
from rechunker.stores import (
    find_node,
    is_process_local,
    resolve_store,
    without_secrets,
)
from rechunker.types import Executor

__all__ = ["check_reachable", "side_of"]

# Names of the kinds of values that are not places.
_OPENED = (zarr.Array, zarr.Group)


def side_of(
    values: Any, storage_options: Mapping[str, Any] | None = None
) -> Mapping[str, SourceArray]:
    """Return the arrays of a side, by their paths; "" for a single array.

    Parameters
    ----------
    values
        Zarr array or group, Dask array, Xarray dataset or tree, numpy array; or a path, a URL, a
        store or a mapping that holds a Zarr array or group.
    storage_options
        Arguments with which fsspec or obstore opens a URL; None for anything else.

    Raises
    ------
    FileNotFoundError
        If there is no array and no group at a place.
    """
    if isinstance(values, np.ndarray):
        return {"": numpy_source(values, tuple(max(1, n) for n in values.shape))}
    opened = values
    if not _has_values(values):
        opened = _open(resolve_store(values, storage_options=storage_options))
    hierarchy = hierarchy_of(opened, None, None, None)
    return {request.name: request.source for request in hierarchy.arrays}


def _has_values(values: Any) -> bool:
    module = type(values).__module__.partition(".")[0]
    return isinstance(values, _OPENED) or module in ("dask", "xarray")


def _open(place: StorePath) -> zarr.Array[Any] | zarr.Group:
    if find_node(place) is None:
        shown = without_secrets(place)
        raise FileNotFoundError(f"there is no Zarr array or group at {shown}")
    return zarr.open(place, mode="r")


def check_reachable(side: Mapping[str, SourceArray], executor: Executor[Any]) -> None:
    """Check that the tasks of an executor can read a side.

    Raises
    ------
    ValueError
        If they cannot.
    """
    for name, source in side.items():
        store = source.reader.store
        if source.reader.holds_futures and not executor.takes_futures:
            raise ValueError(
                f"blocks of array {name!r} are futures on a dask cluster, where the tasks of "
                f'{type(executor).__name__} cannot wait for them; use executor="dask"'
            )
        if store is not None and not executor.shares_memory and is_process_local(store):
            raise ValueError(
                f"array {name!r} lives in the memory of this process, where the tasks of "
                f'{type(executor).__name__} cannot read it; use executor="python"'
            )
