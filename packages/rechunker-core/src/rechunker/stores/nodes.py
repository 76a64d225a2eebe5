"""Nodes: the array or group at a place, looked up without creating anything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple
from zipfile import is_zipfile

from zarr.abc.store import Store
from zarr.storage import LocalStore, StorePath, ZipStore

from rechunker.stores import access
from rechunker.stores.requests import run
from rechunker.stores.wrappers import unwrap

__all__ = [
    "METADATA",
    "NODES_V2",
    "Kind",
    "Node",
    "check_unchanged",
    "digest_of",
    "find_node",
    "kind_of",
    "node_digest",
    "parse_object",
    "read_json",
    "reading",
]

# Names of the objects that hold metadata, in the order in which they are deleted.
METADATA = ("zarr.json", ".zmetadata", ".zgroup", ".zarray", ".zattrs")

# Python 3.11 parses and writes fewer than 1,000 levels of JSON, less those of its own calls.
_DEEPEST = 200
_TOO_DEEP = f"its metadata are nested more than {_DEEPEST} levels deep, and none need to be"

Kind = Literal["array", "group"]
# Names of the metadata objects of format 2.
NODES_V2: dict[str, Kind] = {".zarray": "array", ".zgroup": "group"}


class Node(NamedTuple):
    """An array or a group in a store.

    Parameters
    ----------
    kind
        "array" or "group".
    zarr_format
        Zarr format, 2 or 3.
    metadata
        Content of the metadata object: ``zarr.json``, ``.zarray`` or ``.zgroup``.
    """

    kind: Kind
    zarr_format: Literal[2, 3]
    metadata: bytes

    @property
    def name(self) -> str:
        """Name of the metadata object."""
        if self.zarr_format == 3:
            return "zarr.json"
        return ".zarray" if self.kind == "array" else ".zgroup"

    def __str__(self) -> str:
        return "an array" if self.kind == "array" else "a group"


def find_node(path: StorePath) -> Node | None:
    """Return the array or group at a place, of either format; None if there is neither.

    Parameters
    ----------
    path
        Place to look at. Nothing is created there.
    """
    with reading(path.store) as store:
        if store is None:
            return None
        content = access.get(store, (path / "zarr.json").path)
        if content is not None and (kind := kind_of(content.to_bytes())) is not None:
            return Node(kind, 3, content.to_bytes())
        found = access.get_each(store, [(path / name).path for name in NODES_V2])
        for kind_v2, content in zip(NODES_V2.values(), found, strict=True):
            if content is not None:
                return Node(kind_v2, 2, content.to_bytes())
    return None


def kind_of(content: bytes) -> Kind | None:
    """Return what a ``zarr.json`` describes; None if it is no metadata of Zarr."""
    kind = _parse(content).get("node_type")
    return kind if kind in ("array", "group") else None


def node_digest(path: StorePath) -> str | None:
    """Return a digest of what makes the node at a place: its metadata without attributes.

    Parameters
    ----------
    path
        Place of an array or a group.

    Returns
    -------
    str or None
        Hexadecimal digits; None if there is no node.
    """
    node = find_node(path)
    return None if node is None else digest_of(node.metadata)


def digest_of(metadata: bytes) -> str:
    """Return the digest of a metadata object, in hexadecimal digits."""
    document = _parse(metadata)
    facts = {key: value for key, value in document.items() if key not in _APART}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


# Metadata that may change without a change of what is stored in chunks.
_APART = ("attributes", "consolidated_metadata")


def check_unchanged(path: StorePath, digest: str | None) -> None:
    """Check that the node at a place is the one that was there when the plan was made.

    Parameters
    ----------
    path
        Place of a source.
    digest
        What `node_digest` returned then; None if the place cannot be checked.

    Raises
    ------
    FileNotFoundError
        If there is no node any more.
    ValueError
        If there is another one.
    """
    if digest is None:
        return
    now = node_digest(path)
    if now is None:
        raise FileNotFoundError(
            f"the source {path} cannot be seen from here: it was moved, deleted or unmounted since "
            "rechunk() was called, or this worker has no access to it; make it visible there and "
            "call execute() again"
        )
    if now != digest:
        raise ValueError(
            f"the source {path} is not what it was when rechunk() was called: its metadata have "
            "changed; call rechunk() again"
        )


def read_json(path: StorePath) -> dict[str, Any]:
    """Return the JSON object at a place; an empty dict if there is none.

    Parameters
    ----------
    path
        Store and key of the object. Nothing is created there.
    """
    with reading(path.store) as store:
        content = access.get(store, path.path) if store is not None else None
    return {} if content is None else _parse(content.to_bytes())


def parse_object(content: bytes) -> dict[str, Any]:
    """Parse the content of a metadata object, which may be anybody's.

    Parameters
    ----------
    content
        Content of an object such as ``zarr.json``.

    Raises
    ------
    ValueError
        If it is no JSON object, or nested so deeply that it could not be written again.
    """
    parsed = _loads(content)
    if not isinstance(parsed, dict):
        raise ValueError(f"its metadata are no JSON object: {content[:80]!r}")
    if content.count(b"[") + content.count(b"{") > _DEEPEST and _depth(parsed) > _DEEPEST:
        raise ValueError(_TOO_DEEP)
    return parsed


def _depth(parsed: Any) -> int:
    """Return how deeply lists and dicts are nested."""
    depth, level = 0, [parsed]
    while level:
        held = (value.values() if isinstance(value, dict) else value for value in level)
        level = [v for values in held for v in values if isinstance(v, list | dict)]
        depth += 1
    return depth


def _loads(content: bytes) -> Any:
    try:
        return json.loads(content)
    except RecursionError:
        raise _TooDeepError(_TOO_DEEP) from None


class _TooDeepError(ValueError):
    """JSON that Python cannot parse, although it may be right."""


def _parse(content: bytes) -> dict[str, Any]:
    """Parse a JSON object; return an empty dict for anything else, as Zarr ignores that, too."""
    try:
        parsed = _loads(content)
    except _TooDeepError:
        raise  # it may well be an array or a group, which must not be replaced
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


@contextmanager
def reading(store: Store) -> Iterator[Store | None]:
    """Yield a store whose reads create nothing; None if there is no folder or archive yet.

    On the first read of a writable store, Zarr (3.1.6 to 3.4.2) creates its folder or archive, and
    empties an archive that was opened with mode "w".
    """
    inner = unwrap(store)
    if isinstance(inner, LocalStore):
        yield store if inner.root.is_dir() else None
        return
    path = getattr(inner, "path", None) if isinstance(inner, ZipStore) else None
    if path is not None and not path.exists():
        yield None
    elif path is not None and is_zipfile(path):
        with run(ZipStore.open(path, mode="r")) as archive:
            yield archive
    else:  # also an archive that is being written: it has no directory yet, its store is open
        yield store
