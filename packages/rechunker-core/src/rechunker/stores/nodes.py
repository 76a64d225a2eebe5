"""Looking at what is stored at a place, without leaving a trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from zipfile import is_zipfile

from zarr.abc.store import Store
from zarr.storage import LocalStore, StorePath, ZipStore

from rechunker.stores import access
from rechunker.stores.overlap import unwrap

__all__ = ["group_format", "node_kind", "read_json"]


def node_kind(path: StorePath) -> Literal["array", "group"] | None:
    """Say what there is at a place, of either Zarr format; nothing is created by looking.

    Parameters
    ----------
    path
        A place in a store.

    Returns
    -------
    "array", "group" or None
        None where there is no metadata of a node.
    """
    kind: Literal["array", "group"] | None = read_json(path / "zarr.json").get("node_type")
    if kind in ("array", "group"):
        return kind
    if _exists(path / ".zarray"):
        return "array"
    return "group" if _exists(path / ".zgroup") else None


def group_format(path: StorePath) -> Literal[2, 3] | None:
    """Return the Zarr format of the group at a place, or None if there is no group.

    Parameters
    ----------
    path
        A place in a store; nothing is created by looking.
    """
    if read_json(path / "zarr.json").get("node_type") == "group":
        return 3
    return 2 if _exists(path / ".zgroup") else None


def read_json(path: StorePath) -> dict[str, Any]:
    """Return the JSON object at a place; an empty one if there is none.

    Parameters
    ----------
    path
        Place of an object in a store; nothing is created by looking.
    """
    with _reading(path.store) as store:
        found = access.get(store, path.path) if store is not None else None
    try:
        content = json.loads(found.to_bytes()) if found is not None else {}
    except ValueError:  # no JSON, and so no metadata, which is what Zarr finds there, too
        return {}
    return content if isinstance(content, dict) else {}


def _exists(path: StorePath) -> bool:
    with _reading(path.store) as store:
        return store is not None and access.exists(store, path.path)


@contextmanager
def _reading(store: Store) -> Iterator[Store | None]:
    """Give a store that can be read without creating anything; None if there is no store yet.

    Zarr creates the folder, or the archive, of a store that may be written when it is first
    read, and empties an archive that was to be written anew.
    """
    inner = unwrap(store)
    path: Path | None = getattr(inner, "path", None) if isinstance(inner, ZipStore) else None
    if isinstance(inner, LocalStore):
        yield store if inner.root.is_dir() else None
    elif path is not None and not path.exists():
        yield None
    elif path is not None and is_zipfile(path):
        with access.run(ZipStore.open(path, mode="r")) as archive:
            yield archive
    else:  # an archive that is being written has no directory yet: its store is open
        yield store
