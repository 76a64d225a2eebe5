"""Published metadata: what is written last, without which nothing of a target opens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import zarr
from zarr.storage import StorePath

from rechunker.metadata import Document, group_files, metadata_files
from rechunker.sources import Hierarchy
from rechunker.stores import find_node, read_member

__all__ = ["Published"]


@dataclass(frozen=True)
class Published:
    """The metadata of a target.

    Parameters
    ----------
    place
        Where the target goes.
    hierarchy
        Arrays and groups of the target.
    arrays
        Documents of the arrays, by their paths in the target.
    replaced
        Paths of the arrays and groups that the target replaces.
    """

    place: StorePath
    hierarchy: Hierarchy
    arrays: Mapping[str, Document]
    replaced: frozenset[str]

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """Yield keys and contents of all metadata, children before parents."""
        for name, document in self.arrays.items():
            yield from _keys(self.place / name, metadata_files(document))
        groups, zarr_format = self.hierarchy.groups or {}, self.hierarchy.zarr_format
        for path in sorted(groups, key=lambda path: path.count("/") + bool(path), reverse=True):
            yield from _keys(self.place / path, self._group_files(self.place / path, groups[path]))
        for parent in _parents(self.place):
            if find_node(parent) is None:
                files = group_files({"zarr_format": zarr_format, "attributes": {}}, zarr_format)
                yield from _keys(parent, files)

    def _group_files(self, place: StorePath, document: Mapping[str, Any]) -> dict[str, bytes]:
        """Return the metadata of a group; a group that stays keeps its own metadata as well."""
        zarr_format = self.hierarchy.zarr_format
        there = None if self._is_replaced(place) else read_member(place, zarr_format)
        if there is not None and there.kind == "group":
            own = there.document
            attributes = {**own["attributes"], **document["attributes"]}
            ours = document if document["zarr_format"] == zarr_format else {}
            document = {**own, **ours, "attributes": attributes}
        return group_files(document, zarr_format)

    def _is_replaced(self, place: StorePath) -> bool:
        return place in [self.place / root for root in self.replaced]

    def consolidated(self) -> Iterator[str]:
        """Yield the paths of groups whose consolidated metadata must be written or updated."""
        there = [] if self._is_replaced(self.place) else [self.place]
        if self.hierarchy.consolidated:
            yield self.place.path
            there = []
        for place in (*there, *_parents(self.place)):
            if _is_group(place):
                group = zarr.open_group(place, mode="r")
                if group.metadata.consolidated_metadata is not None:
                    yield place.path


def _is_group(place: StorePath) -> bool:
    node = find_node(place)
    return node is not None and node.kind == "group"


def _keys(place: StorePath, files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield metadata with their full keys; last the object that makes the place a node."""
    for name in sorted(files, reverse=True):
        yield (place / name).path, files[name]


def _parents(place: StorePath) -> list[StorePath]:
    """Return the places of all groups around a node, the innermost first."""
    parts = [part for part in place.path.split("/") if part]
    return [StorePath(place.store, "/".join(parts[:n])) for n in reversed(range(len(parts)))]
