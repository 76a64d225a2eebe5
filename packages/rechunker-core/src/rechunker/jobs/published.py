"""Published metadata: what is written last, without which nothing of a target opens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, takewhile
from typing import Any, TypeAlias

import zarr
from zarr.storage import LocalStore, StorePath

from rechunker.metadata import Document, group_files, metadata_files
from rechunker.sources import Hierarchy
from rechunker.stores import find_node, read_member, side_by_side, unwrap

__all__ = ["Documents", "Published", "parents"]

Documents: TypeAlias = tuple[tuple[str, bytes], ...]
"""Keys and contents of objects that may be written in any order."""

# Name of the object that holds attributes in format 2.
_ATTRIBUTES = ".zattrs"


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
    is_whole
        Whether all that is at the place is replaced, so that nothing is added to a group there.
    """

    place: StorePath
    hierarchy: Hierarchy
    arrays: Mapping[str, Document]
    is_whole: bool

    def documents(self) -> Iterator[Documents]:
        """Yield keys and contents of all metadata, in rounds.

        Those of one round may be written in any order: first attributes that have objects of their
        own, which make no node, then arrays, then groups, the innermost first. What is above the
        target comes last.
        """
        arrays = [(self.place / name, metadata_files(d)) for name, d in self.arrays.items()]
        attributes: list[tuple[str, bytes]] = []
        nodes: list[list[tuple[str, bytes]]] = []
        for level in (arrays, *self._groups()):
            nodes.append([])
            for place, files in level:
                for name, content in files.items():
                    chosen = attributes if name == _ATTRIBUTES else nodes[-1]
                    chosen.append(((place / name).path, content))
        yield from (tuple(objects) for objects in (attributes, *nodes) if objects)

    def _groups(self) -> Iterator[list[tuple[StorePath, dict[str, bytes]]]]:
        """Yield places and objects of the groups at each depth, the deepest first."""
        groups, zarr_format = self.hierarchy.groups or {}, self.hierarchy.zarr_format
        files = side_by_side(
            self.place.store, lambda g: self._group_files(self.place / g[0], g[1]), groups.items()
        )
        made = dict(zip(groups, files, strict=True))
        for _, paths in groupby(sorted(made, key=_depth, reverse=True), _depth):
            yield [(self.place / path, made[path]) for path in paths]
        for parent in parents(self.place):
            if find_node(parent) is None:
                document: Document = {"zarr_format": zarr_format, "attributes": {}}
                yield [(parent, group_files(document, zarr_format))]

    def _group_files(self, place: StorePath, document: Mapping[str, Any]) -> dict[str, bytes]:
        """Return the metadata of a group; a group that stays keeps its own metadata as well."""
        zarr_format = self.hierarchy.zarr_format
        there = None if self.is_whole else read_member(place, zarr_format)
        if there is not None and there.kind == "group":
            own = there.document
            attributes = {**own["attributes"], **document["attributes"]}
            ours = document if document["zarr_format"] == zarr_format else {}
            document = {**own, **ours, "attributes": attributes}
        return group_files(document, zarr_format)

    def consolidated(self) -> Iterator[StorePath]:
        """Yield the places of groups whose consolidated metadata must be written or updated."""
        if not self.place.store.supports_consolidated_metadata:
            return
        there = [] if self.is_whole else [self.place]
        if self.hierarchy.consolidated:
            yield self.place
            there = []
        for place in (*there, *parents(self.place), *_groups_around(self.place)):
            if _is_group(place):
                group = zarr.open_group(place, mode="r")
                if group.metadata.consolidated_metadata is not None:
                    yield place


def _is_group(place: StorePath) -> bool:
    node = find_node(place)
    return node is not None and node.kind == "group"


def _depth(path: str) -> int:
    return path.count("/") + bool(path)


def parents(place: StorePath) -> list[StorePath]:
    """Return the places of all groups around a node in its store, the innermost first.

    Parameters
    ----------
    place
        Place of the node.
    """
    parts = [part for part in place.path.split("/") if part]
    return [StorePath(place.store, "/".join(parts[:n])) for n in reversed(range(len(parts)))]


def _groups_around(place: StorePath) -> Iterator[StorePath]:
    """Yield the groups in the folders around that of a store on disk, the innermost first."""
    store = unwrap(place.store)
    folders = store.root.absolute().parents if isinstance(store, LocalStore) else ()
    around = (StorePath(LocalStore(folder)) for folder in folders)
    yield from takewhile(_is_group, around)
