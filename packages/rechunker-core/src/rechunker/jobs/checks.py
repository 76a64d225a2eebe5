"""Checks of places: source, target and temp store are apart, and within reach of the tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zarr.storage import StorePath, ZipStore

from rechunker.sources import Hierarchy
from rechunker.stores import (
    CLAIM,
    JOURNAL,
    METADATA,
    SessionStore,
    check_name_on_disk,
    check_writable,
    contains,
    disk_path,
    is_process_local,
    is_session_store,
    outermost,
    unwrap,
)
from rechunker.types import Executor

__all__ = ["check_name", "check_path", "check_places", "is_reachable"]


def check_places(
    hierarchy: Hierarchy, place: StorePath, temp: StorePath | None, executor: Executor[Any]
) -> None:
    """Check that source, target and temp store are apart, writable, and within the tasks' reach.

    Parameters
    ----------
    hierarchy
        Arrays and groups of the target.
    place
        Where the target goes.
    temp
        Where temporary objects go; None if there is no such place.
    executor
        What will run the plan.

    Raises
    ------
    ValueError
        If places overlap, cannot be written to, or cannot be reached by the executor.
    """
    _check_names(hierarchy, place, temp)
    for origin in outermost(hierarchy.origins):
        _check_origin(origin, place, temp)
    if temp is not None and contains(place, temp):
        raise ValueError(
            f"temp_store {temp} is the target {place} or lies in it; choose another temp_store"
        )
    for word, where in (("target_store", place), ("temp_store", temp)):
        if where is not None:
            _check_writable(where, word)
    if temp is not None and is_session_store(temp.store):
        raise ValueError(
            f"temp_store {temp}: a session of Icechunk holds the objects of arrays and groups "
            "alone; choose another temp_store"
        )
    if temp is not None and not (temp.store.supports_deletes and temp.store.supports_listing):
        raise ValueError(
            f"temp_store {temp}: a {type(temp.store).__name__} cannot delete or list objects, so "
            "temporary objects would stay in it; choose another temp_store"
        )
    if not executor.shares_memory:
        _check_reachable(executor, "target", place)
        _check_reachable(executor, "temp", temp)
        for origin in hierarchy.origins:
            _check_reachable(executor, "source", origin)
        _check_sessions(hierarchy, place, executor)
    _check_futures(hierarchy, executor)


def _check_names(hierarchy: Hierarchy, place: StorePath, temp: StorePath | None) -> None:
    """Check that no name leads out of its place, or is too long for the disk."""
    for word, where in (("target_store", place), ("temp_store", temp)):
        if where is not None:
            check_path(where, word)
    for name in {*(request.name for request in hierarchy.arrays), *(hierarchy.groups or {})}:
        if name:
            check_name(name, "the source: the name")
            check_path(place / name, f"{name!r} in target_store")


def check_path(place: StorePath, what: str) -> None:
    """Check that a place lies within its store, and that its names are not too long for a disk.

    Parameters
    ----------
    place
        Place in a store.
    what
        What error messages call it.

    Raises
    ------
    ValueError
        If it does not.
    """
    path = _on_disk(place)
    if place.path:
        check_name(place.path, f"{what}: the path")
    if path is not None:
        check_name_on_disk(path, what)


def check_name(name: str, what: str) -> None:
    """Check that a path does not lead out of its group, and names no object of Zarr or of a run.

    Parameters
    ----------
    name
        Path of an array or a group.
    what
        What error messages call it.

    Raises
    ------
    ValueError
        If it does.
    """
    parts = name.replace("\\", "/").split("/")  # Zarr takes both for separators
    if {"", ".", ".."} & {*parts}:
        raise ValueError(
            f"{what} {name!r} may lead out of its place; separate names by single slashes, none of "
            "them empty, '.' or '..'"
        )
    reserved = {*METADATA, CLAIM, JOURNAL} & {*parts}
    if reserved:
        raise ValueError(
            f"{what} {name!r}: {min(reserved)!r} is the name of an object that belongs to a group "
            "or an array; choose another name"
        )


def _check_writable(place: StorePath, word: str) -> None:
    if place.read_only:
        raise ValueError(f"{word} {place} is read-only; open it for writing")
    path = _on_disk(place)
    if path is not None:
        check_writable(path.parent if _is_archive(place) else path, word)


def _on_disk(place: StorePath) -> Path | None:
    """Return the path of a place on disk, or of the archive that it lies in; None without one."""
    return disk_path(StorePath(place.store) if _is_archive(place) else place)


def _is_archive(place: StorePath) -> bool:
    return isinstance(unwrap(place.store), ZipStore)


def _check_origin(origin: StorePath, place: StorePath, temp: StorePath | None) -> None:
    if contains(place, origin) or contains(origin, place):
        raise ValueError(
            f"target_store {place} is the source {origin}, or one lies in the other; a source is "
            "never changed: choose another target_store"
        )
    if temp is not None and contains(origin, temp):
        raise ValueError(
            f"temp_store {temp} is the source {origin} or lies in it; choose another temp_store"
        )


def is_reachable(executor: Executor[Any], hierarchy: Hierarchy, *places: StorePath | None) -> bool:
    """Return whether the tasks of an executor can reach the sources and some places.

    Parameters
    ----------
    executor
        What may run the plan.
    hierarchy
        Arrays and groups of the target, with the places of the sources.
    *places
        Places of the target and of temporary objects; None for those that there are not.
    """
    if executor.shares_memory:
        return True
    all_places = [place for place in (*places, *hierarchy.origins) if place is not None]
    return not any(is_process_local(place.store) for place in all_places)


def _check_reachable(executor: Executor[Any], name: str, place: StorePath | None) -> None:
    if place is not None and is_process_local(place.store):
        raise ValueError(
            f"the {name} store {_shown(place)} lives in the memory of this process, where the "
            f"tasks of {type(executor).__name__} cannot reach it: what they write would be lost; "
            'use a path or a URL, or executor="python"'
        )


def _check_sessions(hierarchy: Hierarchy, place: StorePath, executor: Executor[Any]) -> None:
    """Check that tasks in other processes can read from, and write to, sessions of Icechunk."""
    name = type(executor).__name__
    for origin in hierarchy.origins:
        if is_session_store(origin.store) and not origin.read_only:
            raise ValueError(
                f"the source {_shown(origin)} is read from a session that can be written to, and "
                f"what was written there is not known where the tasks of {name} run; commit it, "
                "and open the source from repository.readonly_session(branch)"
            )
    if isinstance(place.store, SessionStore):
        if not executor.returns_changes:
            raise ValueError(
                f"target_store {place} is a session of Icechunk, and {name} cannot hand back to it "
                'what its tasks write; use executor="python" or "dask", or another target_store'
            )
        place.store.check_forks()


def _shown(place: StorePath) -> str:
    return str(place).replace("\n", " ")  # a store of icechunk 2 shows itself in several lines


def _check_futures(hierarchy: Hierarchy, executor: Executor[Any]) -> None:
    readers = [request.source.reader for request in hierarchy.arrays]
    if not executor.takes_futures and any(reader.holds_futures for reader in readers):
        raise ValueError(
            "blocks of the source are futures on a dask cluster, where the tasks of "
            f'{type(executor).__name__} cannot wait for them; use executor="dask", or give the '
            "array as it was before persist()"
        )
