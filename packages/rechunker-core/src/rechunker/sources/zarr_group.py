"""Zarr groups as sources: the arrays that are chosen, and all groups."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import zarr
from zarr.storage import MemoryStore, StorePath

from rechunker.metadata import (
    REFUSALS,
    Dimensions,
    Document,
    dimension_names,
    parse_options,
    refusal,
)
from rechunker.sources.base import Hierarchy
from rechunker.sources.looks import Opened, look_at, opened_member
from rechunker.sources.options_by_array import Given, options_by_array
from rechunker.sources.target_chunks import Members, chunks_by_array
from rechunker.sources.zarr_array import request_array
from rechunker.stores import Member, absolute_place, find_members

__all__ = ["group_hierarchy"]


def group_hierarchy(
    group: zarr.Group,
    chunks: Any,
    options: Mapping[str, Any] | None,
    zarr_format: Any,
    limit: int,
) -> Hierarchy:
    """Return the hierarchy of a Zarr group.

    Parameters
    ----------
    group
        Group of arrays and groups.
    chunks
        Target chunks, as `chunks_by_array` takes them.
    options
        Options, as `options_by_array` takes them, and ``overwrite`` for the whole target.
    zarr_format
        Zarr format of the group that will hold the target; None if there is no such group.
    limit
        Bytes of a stored object that fit in memory.

    Raises
    ------
    TypeError, ValueError
        If an entry of `chunks` or `options` is not allowed, or there is no such array.
    """
    place = absolute_place(group.store_path)
    named = chunks if isinstance(chunks, Mapping) else {}
    paths = [key.strip("/") for key in named if isinstance(key, str)]
    found = find_members(place, group.metadata.zarr_format, paths)
    if "" not in found:
        raise FileNotFoundError(f"the group at {place} is not there any more; open it again")
    arrays = _Arrays(place, found)
    members = arrays.members()
    per_array = dict(options) if isinstance(options, Mapping) else options
    overwrite_all = False
    if isinstance(per_array, dict) and isinstance(per_array.get("overwrite"), bool):
        overwrite_all = per_array.pop("overwrite")
    given = options_by_array(per_array, members)
    wanted = chunks_by_array(chunks, members)
    target_format = zarr_format or group.metadata.zarr_format
    parsed = {}
    for name in wanted:
        entry = given.get(name, Given({}, f"target_options[{name!r}]"))
        own = parse_options(entry.options, where=entry.where, limit=limit)
        parsed[name] = own.in_group(target_format)
    sources = {name: arrays.opened(name) for name in wanted}
    looks = look_at(sources, place.store)
    return Hierarchy(
        arrays=tuple(
            request_array(name, source, wanted[name], parsed[name], looks.get(name))
            for name, source in sources.items()
        ),
        groups=_groups(found, wanted, group.metadata.zarr_format),
        zarr_format=target_format,
        overwrite=frozenset(
            [name for name in wanted if parsed[name].overwrite] + ([""] if overwrite_all else [])
        ),
        consolidated=group.metadata.consolidated_metadata is not None,
        origins=(place,),
        left_out=tuple(name for name in members.arrays if name not in wanted),
    )


@dataclass(frozen=True)
class _Arrays:
    """The arrays of a group, each of which is opened once, and only if it is needed."""

    place: StorePath
    found: Mapping[str, Member]
    known: dict[str, Opened] = field(default_factory=dict)

    def opened(self, name: str) -> Opened:
        """Return an array."""
        if name not in self.known:
            self.known[name] = opened_member(name, self.found[name], self.place)
        return self.known[name]

    def dims(self, name: str) -> Dimensions:
        """Return the dimension names of an array; none for one that cannot be opened."""
        try:
            source = self.opened(name)
        except (TypeError, ValueError):
            return ()  # whoever asks for it learns why
        return dimension_names(source.array, source.document) or (None,) * source.array.ndim

    def members(self) -> Members:
        """Return what chunks and options can name."""
        kinds = {name: member.kind for name, member in self.found.items()}
        return Members(
            arrays=tuple(name for name, kind in kinds.items() if kind == "array"),
            groups=frozenset(name for name, kind in kinds.items() if kind == "group"),
            dims_of=self.dims,
            kind="group",
            in_one_chunk=lambda name: self.dims(name) == (name.rpartition("/")[2],),
            selects=True,
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
