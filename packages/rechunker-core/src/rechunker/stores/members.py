"""Members of groups: which arrays and groups there are, found without opening them."""

from __future__ import annotations

import asyncio
import errno
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import zarr
from zarr.abc.store import Store
from zarr.buffer import default_buffer_prototype
from zarr.storage import LocalStore, StorePath

from rechunker.stores.nodes import NODES_V2, Kind, kind_of, parse_object, reading
from rechunker.stores.requests import again, run
from rechunker.stores.wrappers import unwrap

__all__ = ["Member", "find_members", "read_member"]


# Levels of groups: a store in memory takes the square of their number to list them.
_DEEPEST = 100
# Paths of one folder: a symbolic link or two may be meant as another name of a group.
_MOST_VISITS = 16


class Member(NamedTuple):
    """An array or a group as its store holds it; it may be one that Zarr cannot open.

    Parameters
    ----------
    kind
        "array" or "group".
    metadata
        Content of ``zarr.json``, ``.zarray`` or ``.zgroup``.
    attributes
        Content of ``.zattrs``; None if there is no such object.
    """

    kind: Kind
    metadata: bytes
    attributes: bytes | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The metadata with their attributes; consolidated metadata are left out.

        Raises
        ------
        ValueError
            If they are not JSON objects, or nested too deeply.
        """
        document = parse_object(self.metadata)
        if self.attributes is not None:
            document["attributes"] = parse_object(self.attributes)
        document.pop("consolidated_metadata", None)
        attributes = document.get("attributes") or {}
        if not isinstance(attributes, dict):
            raise ValueError(f"its attributes are no JSON object: {reprlib.repr(attributes)}")
        return {**document, "attributes": attributes}


def read_member(place: StorePath, zarr_format: int) -> Member | None:
    """Return the array or group of one Zarr format at a place; None if there is neither.

    Parameters
    ----------
    place
        Place to look at. Nothing is created there.
    zarr_format
        2 or 3.
    """
    with reading(place.store) as store:
        if store is None:
            return None
        return run(_Walk.of(store, zarr_format).read(place.path))


def find_members(
    place: StorePath, zarr_format: int, names: Iterable[str] = ()
) -> dict[str, Member]:
    """Return the arrays and groups in a group, without opening them.

    Parameters
    ----------
    place
        Place of the group.
    zarr_format
        Zarr format of the group; nodes of the other format are no members.
    names
        Paths of arrays that are looked up even if a group above them has no metadata, or the
        store cannot list what it holds.

    Returns
    -------
    dict
        Members by path, with the group itself as "". Nothing lies within an array.
    """
    with reading(place.store) as store:
        if store is None:
            return {}
        return run(_find(_Walk.of(store, zarr_format), place.path, names))


class _Walk(NamedTuple):
    """Reads metadata of a store, several at a time."""

    store: Store
    zarr_format: int
    slots: asyncio.Semaphore
    visits: Counter[tuple[int, int]]

    @classmethod
    def of(cls, store: Store, zarr_format: int) -> _Walk:
        slots = zarr.config.get("async.concurrency") or 10
        return cls(store, zarr_format, asyncio.Semaphore(slots), Counter())

    async def read(self, path: str) -> Member | None:
        if self.zarr_format == 3:
            content = await self._get(path, "zarr.json")
            kind = None if content is None else self._kind(path, content)
            return None if content is None or kind is None else Member(kind, content)
        *nodes, attributes = await asyncio.gather(
            *(self._get(path, name) for name in (*NODES_V2, ".zattrs"))
        )
        for kind, content in zip(NODES_V2.values(), nodes, strict=True):
            if content is not None:
                return Member(kind, content, attributes)
        return None

    def _kind(self, path: str, content: bytes) -> Kind | None:
        try:
            return kind_of(content)
        except ValueError as error:
            raise ValueError(f"{path!r} of the source cannot be read: {error}") from None

    async def _get(self, path: str, name: str) -> bytes | None:
        async with self.slots:
            try:
                found = await again(
                    self.store,
                    lambda: self.store.get(_join(path, name), default_buffer_prototype()),
                )
            except OSError as error:
                if error.errno == errno.ENAMETOOLONG:
                    return None  # a name that no disk can hold
                raise
        return None if found is None else found.to_bytes()

    async def _names(self, path: str) -> list[str]:
        return [name async for name in self.store.list_dir(path)]

    async def below(self, path: str) -> dict[str, Member]:
        """Return all members below a group, by their full paths."""
        async with self.slots:
            self._count_visit(path)
            if path.count("/") > _DEEPEST:
                raise ValueError(
                    f"groups of the source are nested more than {_DEEPEST} levels deep, such as "
                    f"{path[:80]!r}...; move what you need out of them, or open a group in them"
                )
            names = await again(self.store, lambda: self._names(path))
        children = [_join(path, name) for name in names if _is_canonical(name) and "/" not in name]
        read = await asyncio.gather(*map(self.read, children))
        found = {child: m for child, m in zip(children, read, strict=True) if m is not None}
        groups = [child for child, member in found.items() if member.kind == "group"]
        for inner in await asyncio.gather(*map(self.below, groups)):
            found |= inner
        return found

    def _count_visit(self, path: str) -> None:
        """Check that symbolic links do not lead to the same folder over and over again."""
        inner = unwrap(self.store)
        if not isinstance(inner, LocalStore) or not (folder := inner.root / path).is_dir():
            return
        found = folder.stat()
        self.visits[found.st_dev, found.st_ino] += 1
        if self.visits[found.st_dev, found.st_ino] > _MOST_VISITS:
            raise ValueError(
                f"{str(folder)[:200]!r} of the source is a folder that more than {_MOST_VISITS} "
                "paths lead to: symbolic links in it lead back to a folder around them; remove "
                "these links, or open a group without them"
            )


async def _find(walk: _Walk, path: str, names: Iterable[str]) -> dict[str, Member]:
    itself = await walk.read(path)
    found = {} if itself is None else {path: itself}
    if walk.store.supports_listing:
        found |= await walk.below(path)
    others = {_join(path, name): None for name in names if _can_be(name)}
    paths = dict.fromkeys(p for other in others for p in (*_around(other, path), other))
    unknown = [p for p in paths if p not in found]
    for p, member in zip(unknown, await asyncio.gather(*map(walk.read, unknown)), strict=True):
        if member is not None:
            found[p] = member
    arrays = {p for p, member in found.items() if member.kind == "array"}
    # What was listed lies in groups alone.
    hidden = {p for p in unknown if not arrays.isdisjoint(_around(p, path))}
    return {
        p[len(path) :].strip("/"): member for p, member in sorted(found.items()) if p not in hidden
    }


def _around(path: str, top: str) -> Iterator[str]:
    """Yield the paths of the groups around a node, from below `top` on."""
    parts = path[len(top) :].strip("/").split("/")
    for n in range(1, len(parts)):
        yield _join(top, "/".join(parts[:n]))


def _can_be(name: object) -> bool:
    """Return whether there can be a member of such a name."""
    return _is_canonical(name) and str(name).count("/") <= _DEEPEST


def _is_canonical(name: object) -> bool:
    if not isinstance(name, str) or "\0" in name:
        return False
    return not {"", ".", ".."} & set(name.replace("\\", "/").split("/"))


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name
