"""Zarr groups as sources: the arrays that are named, and all groups."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

import zarr
from zarr.storage import MemoryStore, StorePath

from rechunker.metadata import (
    REFUSALS,
    Document,
    check_names,
    dimension_names,
    parse_options,
    refusal,
)
from rechunker.sources.base import Hierarchy
from rechunker.sources.looks import look_at, opened_member
from rechunker.sources.paths import by_path
from rechunker.sources.zarr_array import request_array
from rechunker.stores import Member, absolute_place, find_members

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
    chunks, options = by_path(chunks, "target_chunks"), by_path(options, "target_options")
    place = absolute_place(group.store_path)
    members = find_members(
        place, group.metadata.zarr_format, chunks if isinstance(chunks, Mapping) else ()
    )
    if "" not in members:
        raise FileNotFoundError(f"the group at {place} is not there any more; open it again")
    arrays = {name: member for name, member in members.items() if member.kind == "array"}
    _check_mapping(chunks, arrays, "target_chunks")
    _check_mapping(options or {}, arrays, "target_options")
    per_array = dict(options or {})
    overwrite_all = isinstance(per_array.get("overwrite"), bool) and per_array.pop("overwrite")
    check_names(chunks, arrays, "target_chunks")
    check_names(per_array, arrays, "target_options")
    _check_not_by_dimension(chunks, arrays, place)
    target_format = zarr_format or group.metadata.zarr_format
    parsed = {}
    for name in chunks:
        where = f"target_options[{name!r}]"
        parsed[name] = parse_options(per_array.get(name), where=where).in_group(target_format)
    sources = {name: opened_member(name, arrays[name], place) for name in chunks}
    looks = look_at(sources, place.store)
    return Hierarchy(
        arrays=tuple(
            request_array(name, source, chunks[name], parsed[name], looks.get(name))
            for name, source in sources.items()
        ),
        groups=_groups(members, chunks, group.metadata.zarr_format),
        zarr_format=target_format,
        overwrite=frozenset(
            [name for name in chunks if parsed[name].overwrite] + ([""] if overwrite_all else [])
        ),
        consolidated=group.metadata.consolidated_metadata is not None,
        origins=(place,),
    )


def _groups(
    members: Mapping[str, Member], names: Iterable[str], zarr_format: int
) -> dict[str, Document]:
    """Return the documents of all groups; those around named arrays may have none in the source."""
    parts = [name.split("/") for name in names]
    around = {"/".join(path[:n]) for path in parts for n in range(len(path))}
    groups: dict[str, Document] = {
        path: {"zarr_format": zarr_format, "attributes": {}} for path in sorted(around)
    }
    for path, member in members.items():
        if member.kind == "group":
            try:
                groups[path] = _group_document(member, zarr_format)
            except REFUSALS as error:
                raise refusal(f"group {path!r} of the source cannot be opened", error) from error
    return groups


def _group_document(member: Member, zarr_format: int) -> Document:
    document = member.document
    found = document.get("zarr_format")
    if isinstance(found, bool) or found != zarr_format:
        raise ValueError(f"its zarr_format must be {zarr_format}, got {reprlib.repr(found)}")
    zarr.AsyncGroup.from_dict(StorePath(MemoryStore()), dict(document))  # raises what Zarr says
    return document


def _check_not_by_dimension(
    chunks: Mapping[str, Any], arrays: Mapping[str, Member], place: StorePath
) -> None:
    """Refuse sizes that are meant for a dimension, but would rechunk its coordinate alone."""
    numbers = {name: size for name, size in chunks.items() if hasattr(size, "__index__")}
    for other in [name for name in arrays if name not in chunks] if numbers else []:
        try:
            source = opened_member(other, arrays[other], place)
            dims = dimension_names(source.array, source.document) or ()
        except (TypeError, ValueError):
            continue  # nobody asks for it
        for name, size in ((name, numbers[name]) for name in dims if name in numbers):
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
