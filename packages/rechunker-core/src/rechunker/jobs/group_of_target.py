"""The group to which arrays are added: one that is given, or one that is at the target's place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import zarr
from zarr.storage import StorePath

from rechunker.jobs.checks import check_name, check_path
from rechunker.jobs.published import parents
from rechunker.sources import Hierarchy
from rechunker.stores import (
    Claim,
    Journal,
    TargetInUseError,
    find_node,
    holds_claims,
    without_secrets,
)

__all__ = ["format_around", "format_of_group", "is_unfinished", "name_in_group"]


def format_of_group(
    target_store: Any, place: StorePath, options: Any, array_name: str | None
) -> Literal[2, 3] | None:
    """Return the Zarr format of the group to which arrays are added; None if there is no group.

    Parameters
    ----------
    target_store, options, array_name
        Arguments of `rechunker.rechunk`; the options are those of the target.
    place
        What `target_store` stands for.

    Raises
    ------
    TargetInUseError
        If there is a group, but another run still writes what will be there.
    """
    check_path(place, "target_store")
    if isinstance(target_store, zarr.Group):
        return target_store.metadata.zarr_format
    if array_name is None and _replaces_all(options):
        return None
    node = find_node(place)
    if node is None or node.kind != "group" or is_unfinished(place):
        return None
    _check_free(place)
    return node.zarr_format


def format_around(place: StorePath) -> Literal[2, 3] | None:
    """Return the Zarr format of the innermost group around a place in its store; None without one.

    Nothing of one format is found in a group of the other.

    Parameters
    ----------
    place
        Where the target goes.
    """
    for parent in parents(place):
        node = find_node(parent)
        if node is not None and node.kind == "group":
            return node.zarr_format
    return None


def _replaces_all(options: Any) -> bool:
    """Return whether the whole target is replaced, not some of its arrays."""
    overwrite = options.get("overwrite") if isinstance(options, Mapping) else None
    return bool(overwrite) and not isinstance(overwrite, Mapping)


def is_unfinished(place: StorePath) -> bool:
    """Return whether a run has died while it published what is at a place."""
    return holds_claims(place.store) and Journal(place).is_copied


def _check_free(place: StorePath) -> None:
    """Check that no run goes on that was to make the group that is there already."""
    holder = Claim(place.store, place.path, "").holder() if holds_claims(place.store) else None
    if holder is not None and not holder.is_gone:
        shown = without_secrets(place)
        raise TargetInUseError(
            f"there is a group at {shown}, and another run is to write a target of its own there, "
            f"{holder}: wait for it, or stop it; if it runs no more, rechunker.clean() removes "
            "what it has left"
        )


def name_in_group(
    hierarchy: Hierarchy,
    place: StorePath,
    group_format: int | None,
    array_name: str | None,
    temp_store: Any,
) -> str | None:
    """Check that `array_name` is given if it is needed, and return where the array goes.

    Parameters
    ----------
    hierarchy
        Arrays and groups of the target.
    place
        What `target_store` stands for.
    group_format
        Zarr format of the group there; None if there is no group.
    array_name, temp_store
        Arguments of `rechunker.rechunk`.

    Returns
    -------
    str or None
        Path of the array in the group; None if the target goes to `place` itself.

    Raises
    ------
    ValueError
        If the name is missing or superfluous.
    TypeError
        If it is not a string.
    """
    if hierarchy.groups is not None:
        if array_name is not None:
            _refuse(array_name, "the arrays of the source have names of their own")
        return None
    if group_format is None:
        # Rechunker 0.5 wanted the name also where the temp store alone is a group.
        if array_name is not None and not isinstance(temp_store, zarr.Group):
            _refuse(array_name, f"there is no group at target_store, {without_secrets(place)}")
        return None
    if not array_name:
        raise ValueError(
            f"target_store is a group, {without_secrets(place)}: give array_name, the name of the "
            "array in it, or choose another target_store"
        )
    if not isinstance(array_name, str):
        raise TypeError(f"array_name must be a string, got {array_name!r}")
    name = array_name.strip("/")
    check_name(name, "array_name")
    return name


def _refuse(array_name: object, why: str) -> None:
    raise ValueError(f"array_name={array_name!r} is not needed: {why}; leave it out")
