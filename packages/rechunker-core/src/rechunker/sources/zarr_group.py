"""Zarr groups as sources: the selected arrays, and all groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zarr

from rechunker.metadata import check_names, dimension_names, parse_options
from rechunker.sources.base import Hierarchy
from rechunker.sources.zarr_array import request_array
from rechunker.stores import absolute_place

__all__ = ["group_hierarchy"]


def group_hierarchy(
    group: zarr.Group, chunks: Any, options: Mapping[str, Any] | None, zarr_format: Any
) -> Hierarchy:
    """Return the hierarchy of a Zarr group.

    Parameters
    ----------
    group
        Group of arrays and groups.
    chunks
        Target chunks by path of an array; arrays without an entry are left out.
    options
        Options by path of an array, and ``overwrite`` for the whole target.
    zarr_format
        Zarr format of the group that will hold the target; None if there is no such group.

    Raises
    ------
    TypeError, ValueError
        If `chunks` or `options` is not a dict by path of an array, or an entry is not allowed.
    """
    fresh = zarr.open_group(absolute_place(group.store_path), mode="r", use_consolidated=False)
    members = dict(fresh.members(max_depth=None))
    arrays = {name: node for name, node in members.items() if isinstance(node, zarr.Array)}
    _check_mapping(chunks, arrays, "target_chunks")
    _check_mapping(options or {}, arrays, "target_options")
    per_array = dict(options or {})
    overwrite_all = isinstance(per_array.get("overwrite"), bool) and per_array.pop("overwrite")
    check_names(chunks, arrays, "target_chunks")
    check_names(per_array, arrays, "target_options")
    _check_not_by_dimension(chunks, arrays)
    target_format = zarr_format or fresh.metadata.zarr_format
    parsed = {}
    for name in chunks:
        where = f"target_options[{name!r}]"
        parsed[name] = parse_options(per_array.get(name), where=where).in_group(target_format)
    groups = {name: node for name, node in members.items() if isinstance(node, zarr.Group)}
    return Hierarchy(
        arrays=tuple(
            request_array(name, arrays[name], chunks[name], parsed[name]) for name in chunks
        ),
        groups={"": dict(fresh.attrs), **{name: dict(node.attrs) for name, node in groups.items()}},
        zarr_format=target_format,
        overwrite=frozenset(
            [name for name in chunks if parsed[name].overwrite] + ([""] if overwrite_all else [])
        ),
        consolidated=group.metadata.consolidated_metadata is not None,
        origins=(fresh.store_path,),
    )


def _check_not_by_dimension(
    chunks: Mapping[str, Any], arrays: Mapping[str, zarr.Array[Any]]
) -> None:
    """Refuse sizes that are meant for a dimension, but would rechunk its coordinate alone."""
    for name, size in chunks.items():
        if not hasattr(size, "__index__"):
            continue
        for other, array in arrays.items():
            if other not in chunks and name in (dimension_names(array) or ()):
                raise ValueError(
                    f"target_chunks={dict(chunks)!r}: {name!r} is an array of the source and a "
                    f"dimension of {other!r}, which is not named; target_chunks of a group are by "
                    f"array: give {{{other!r}: {{{name!r}: {size!r}}}, ...}}, or "
                    f"{{{name!r}: ({size!r},)}} to rechunk that array alone"
                )


def _check_mapping(by_path: Any, arrays: Mapping[str, Any], what: str) -> None:
    if not isinstance(by_path, Mapping):
        raise TypeError(
            f"{what} must be a dict by path of an array, as the source is a group, "
            f"got {by_path!r}; its arrays are {', '.join(sorted(arrays)) or 'none'}"
        )
