"""Zarr groups as sources: the arrays that are named, in the groups they are in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zarr

from rechunker.metadata import check_names, parse_options
from rechunker.sources.base import Hierarchy
from rechunker.sources.zarr_array import request_array

__all__ = ["group_hierarchy"]


def group_hierarchy(
    group: zarr.Group, chunks: Any, options: Mapping[str, Any] | None, zarr_format: Any
) -> Hierarchy:
    """Return what a group becomes.

    Parameters
    ----------
    group
        With groups in it, and so on.
    chunks
        Target chunks by path of the array; arrays that are not named are left out.
    options
        Options by path of the array; besides ``overwrite``, for the whole target.
    zarr_format
        Of the group that is to hold the arrays; None if there is none yet.
    """
    fresh = zarr.open_group(group.store_path, mode="r", use_consolidated=False)
    members = dict(fresh.members(max_depth=None))
    arrays = {name: node for name, node in members.items() if isinstance(node, zarr.Array)}
    _check_names(chunks, arrays, "target_chunks")
    per_array = dict(options or {})
    everything = isinstance(per_array.get("overwrite"), bool) and per_array.pop("overwrite")
    _check_names(per_array, arrays, "target_options")
    wanted = zarr_format or fresh.metadata.zarr_format
    parsed = {
        name: parse_options(per_array.get(name), where=f"target_options[{name!r}]").in_group(wanted)
        for name in chunks
    }
    groups = {name: node for name, node in members.items() if isinstance(node, zarr.Group)}
    return Hierarchy(
        arrays=tuple(
            request_array(name, arrays[name], chunks[name], parsed[name]) for name in chunks
        ),
        groups={"": dict(fresh.attrs), **{name: dict(node.attrs) for name, node in groups.items()}},
        zarr_format=wanted,
        overwrite=frozenset(
            [name for name in chunks if parsed[name].overwrite] + ([""] if everything else [])
        ),
        consolidated=group.metadata.consolidated_metadata is not None,
        origins=(group.store_path,),
    )


def _check_names(given: Any, arrays: Mapping[str, Any], what: str) -> None:
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{what}={given!r}: the source is a group, so give a dict by path of its arrays: "
            f"{', '.join(sorted(arrays)) or 'it has none'}"
        )
    check_names(given, arrays, what)
