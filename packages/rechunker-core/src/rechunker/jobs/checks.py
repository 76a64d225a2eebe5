"""Checks of places: what must not lie on top of what, and what an executor cannot reach."""

from __future__ import annotations

from typing import Any

import zarr
from zarr.storage import StorePath

from rechunker.sources import Hierarchy
from rechunker.stores import contains, is_process_local
from rechunker.types import Executor

__all__ = ["check_array_name", "check_places"]


def check_array_name(source: Any, group: zarr.Group | None, array_name: str | None) -> None:
    """Check that there is a name where it is needed, and only there.

    Parameters
    ----------
    source
        What is read.
    group
        What `target_store` is, if it is a group.
    array_name
        The name.

    Raises
    ------
    ValueError
        If it is missing or superfluous.
    """
    is_group = isinstance(source, zarr.Group) or hasattr(source, "data_vars")
    if is_group or group is None:
        if array_name is not None:
            why = "the source has names of its own" if is_group else "target_store is not a group"
            raise ValueError(f"array_name={array_name!r}, but {why}; leave it out")
    elif not array_name:
        raise ValueError(
            f"target_store is a group, {group}: give array_name, the name of the array in it"
        )
    elif not isinstance(array_name, str):
        raise TypeError(f"array_name={array_name!r} is not a string")


def check_places(
    source: Any,
    hierarchy: Hierarchy,
    place: StorePath,
    temp: StorePath | None,
    executor: Executor[Any],
) -> None:
    """Check that nothing is written on top of something else, or where nobody finds it.

    Parameters
    ----------
    source
        What is read.
    hierarchy
        What the source becomes.
    place
        Where the target goes.
    temp
        Where temporary objects go, if there is such a place.
    executor
        What will run the plan.

    Raises
    ------
    ValueError
        If places lie in each other, cannot be written, or cannot be reached by the executor.
    """
    nodes = (zarr.Array, zarr.Group)
    origins = (source.store_path,) if isinstance(source, nodes) else hierarchy.origins
    for origin in origins:
        _check_source(source, origin, place, temp)
    if temp is not None and contains(place, temp):
        raise ValueError(
            f"temp_store {temp} is the target {place} or lies in it; give another place"
        )
    for word, where in (("target_store", place), ("temp_store", temp)):
        if where is not None and where.read_only:
            raise ValueError(f"{word} {where} is read-only; open it for writing")
    if temp is not None and not (temp.store.supports_deletes and temp.store.supports_listing):
        raise ValueError(
            f"temp_store {temp}: a {type(temp.store).__name__} cannot delete or list objects, so "
            "what is temporary would stay there; give another place"
        )
    if not executor.shares_memory:
        _check_reachable(executor, "target", place)
        _check_reachable(executor, "temp", temp)
        for origin in origins:
            _check_reachable(executor, "source", origin)
    _check_futures(hierarchy, executor)


def _check_source(source: Any, origin: StorePath, place: StorePath, temp: StorePath | None) -> None:
    arrays = isinstance(source, zarr.Array)
    if contains(place, origin) or (arrays and contains(origin, place)):
        raise ValueError(
            f"target_store {place} is the source {origin}, or one lies in the other; a source is "
            "never changed: give another place"
        )
    if temp is not None and contains(origin, temp):
        raise ValueError(f"temp_store {temp} is the source {origin} or lies in it; give another")


def _check_reachable(executor: Executor[Any], name: str, place: StorePath | None) -> None:
    if place is not None and is_process_local(place.store):
        raise ValueError(
            f"the {name} store {place} lives in the memory of this process, where the tasks of "
            f"{type(executor).__name__} cannot reach it: what they write would be lost. Use a "
            'path or a URL, or executor="python"'
        )


def _check_futures(hierarchy: Hierarchy, executor: Executor[Any]) -> None:
    readers = [request.source.reader for request in hierarchy.arrays]
    if not executor.takes_futures and any(getattr(r, "holds_futures", False) for r in readers):
        raise ValueError(
            "blocks of the source are futures on a dask cluster, where the tasks of "
            f'{type(executor).__name__} cannot wait for them: use executor="dask", or give the '
            "array as it was before persist()"
        )
