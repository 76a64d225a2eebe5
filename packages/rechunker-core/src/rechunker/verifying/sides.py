"""Sides: whatever has values, as arrays that can be read, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rechunker.sources import SourceArray, hierarchy_of, numpy_source, open_source
from rechunker.stores import is_process_local
from rechunker.types import Executor

__all__ = ["check_reachable", "side_of"]


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
    hierarchy = hierarchy_of(open_source(values, storage_options), None, None, None)
    return {request.name: request.source for request in hierarchy.arrays}


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
