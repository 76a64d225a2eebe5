"""Marks: an object that was just written to one place, and shows at another, proves them one.

Names cannot tell that two stores lead to one place: an object store has many endpoints, a wrapper
may put a prefix before every key. What one of them has written and the other one reads can.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from zarr.buffer import cpu
from zarr.storage import MemoryStore, StorePath

from rechunker.stores import access
from rechunker.stores.claims import CLAIM
from rechunker.stores.mapping import MappingStore
from rechunker.stores.nodes import find_node, reading
from rechunker.stores.overlap import names_of

__all__ = ["Mark"]


@dataclass(frozen=True)
class Mark:
    """Objects of one name that a run has written to places of one store.

    Parameters
    ----------
    places
        The places.
    run
        Random id of the plan; it is part of the content of the objects.
    name
        Name of the objects; by default that of a claim.
    """

    places: tuple[StorePath, ...]
    run: str
    name: str = CLAIM

    def overlaps(self, at: StorePath) -> bool:
        """Return whether the store of another place shows an object there, above or below.

        Objects are asked for by their keys, all at the same time: as many as the places have names
        in their paths. Stores in memory are listed.

        Parameters
        ----------
        at
            The other place.
        """
        return self._shows(at, [*self._above(at), *self._below(at)])

    def shows_below(self, at: StorePath) -> bool:
        """Return whether the store of another place shows an object there or below."""
        return self._shows(at, self._below(at))

    def shows_above(self, at: StorePath) -> bool:
        """Return whether the store of another place shows an object there or at a parent."""
        return self._shows(at, self._above(at))

    def _shows(self, at: StorePath, keys: Iterable[str]) -> bool:
        with reading(at.store) as store:
            if store is None:
                return False
            return self._is_at(StorePath(store, at.path), list(dict.fromkeys(keys)))

    def _is_at(self, at: StorePath, keys: Sequence[str]) -> bool:
        found = access.get_all(at.store, keys)
        if any(isinstance(value, BaseException) for value in found):
            # Some stores refuse keys that they do not know, such as icechunk (2.3), or that are
            # not there, such as buckets that may not be listed. If the store works and refuses
            # them once more, it does not show the object.
            find_node(at)
            found = access.get_all(at.store, keys)
        run = self.run.encode()
        return any(
            run in value.to_bytes()
            for value in found
            if value is not None and not isinstance(value, BaseException)
        )

    def _below(self, at: StorePath) -> Iterator[str]:
        """Yield the keys of the objects if they lie at a place or below it.

        What leads from there to an object are the last names of its path. How many of the names do
        is unknown, as stores have roots of their own.
        """
        paths = [names_of(place) for place in self.places]
        common = len(os.path.commonprefix(paths))
        for i, names in enumerate(paths):
            # What leads through names that all places have in common differs in nothing else.
            longest = len(names) if i == 0 else len(names) - common - 1
            for n in range(longest + 1):
                yield _join(at.path, *names[len(names) - n :], self.name)
        if isinstance(access.unwrap(at.store), MemoryStore | MappingStore):
            prefix = _join(at.path, "") if at.path else ""
            yield from access.find_keys(at.store, prefix, lambda key: key.endswith(self.name))

    def _above(self, at: StorePath) -> Iterator[str]:
        parts = at.path.split("/") if at.path else []
        for n in range(len(parts) + 1):
            yield _join(*parts[:n], self.name)

    @classmethod
    @contextmanager
    def put(cls, place: StorePath, run: str) -> Iterator[Mark]:
        """Mark a place within a context."""
        mark = cls((place,), run, f"{CLAIM}-{run}")
        key = _join(place.path, mark.name)
        access.put(place.store, key, cpu.Buffer.from_bytes(run.encode()))
        try:
            yield mark
        finally:
            access.delete(place.store, key)


def _join(*parts: str) -> str:
    return "/".join(parts).lstrip("/")
