"""Nodes: which array or group there is at a place, found without leaving a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple
from zipfile import is_zipfile

from zarr.abc.store import Store
from zarr.storage import LocalStore, StorePath, ZipStore

from rechunker.stores import access

__all__ = ["Node", "find_node", "read_json"]

Kind = Literal["array", "group"]


class Node(NamedTuple):
    """An array or a group in a store.

    Parameters
    ----------
    kind
        Which of the two.
    zarr_format
        Its format.
    metadata
        Content of its metadata object: ``zarr.json``, ``.zarray`` or ``.zgroup``.
    """

    kind: Kind
    zarr_format: Literal[2, 3]
    metadata: bytes

    def __str__(self) -> str:
        return "an array" if self.kind == "array" else "a group"


def find_node(path: StorePath) -> Node | None:
    """Return the array or group at a place, of either format; None if there is neither.

    Parameters
    ----------
    path
        Place to look at; looking creates nothing.
    """
    with _reading(path.store) as store:
        if store is None:
            return None
        found = access.get(store, (path / "zarr.json").path)
        kind = _parse(found.to_bytes()).get("node_type") if found is not None else None
        if found is not None and kind in ("array", "group"):
            return Node(kind, 3, found.to_bytes())
        older: dict[str, Kind] = {".zarray": "array", ".zgroup": "group"}
        for name, kind_v2 in older.items():
            found = access.get(store, (path / name).path)
            if found is not None:
                return Node(kind_v2, 2, found.to_bytes())
    return None


def read_json(path: StorePath) -> dict[str, Any]:
    """Return the JSON object at a place; an empty one if there is none.

    Parameters
    ----------
    path
        Key of an object in a store; looking creates nothing.
    """
    with _reading(path.store) as store:
        found = access.get(store, path.path) if store is not None else None
    return {} if found is None else _parse(found.to_bytes())


def _parse(content: bytes) -> dict[str, Any]:
    """Parse a JSON object; anything else is no metadata, as it is for Zarr."""
    try:
        parsed = json.loads(content)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


@contextmanager
def _reading(store: Store) -> Iterator[Store | None]:
    """Yield a store that can be read without creating anything; None if nothing exists yet.

    Zarr (3.1.6 to 3.4.2) creates the folder or the archive of a writable store at the first
    read, and empties an archive that was opened to be written anew.
    """
    inner = access.unwrap(store)
    if isinstance(inner, LocalStore):
        yield store if inner.root.is_dir() else None
        return
    path = getattr(inner, "path", None) if isinstance(inner, ZipStore) else None
    if path is not None and not path.exists():
        yield None
    elif path is not None and is_zipfile(path):
        with access.run(ZipStore.open(path, mode="r")) as archive:
            yield archive
    else:  # an archive that is being written has no directory yet: its store is open
        yield store
