"""Marks: an object that was just written to one place, and shows at another, proves them one.

Names cannot tell that two stores lead to one place: an object store has many endpoints, a wrapper
may put a prefix before every key. What one of them has written and the other one reads can.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from zarr.abc.buffer import Buffer
from zarr.storage import MemoryStore, StorePath

from rechunker.stores import access
from rechunker.stores.claims import CLAIM
from rechunker.stores.filesystems import forget_listings
from rechunker.stores.holders import FOR_LIFE, Holder
from rechunker.stores.mapping import MappingStore
from rechunker.stores.nodes import find_node, reading
from rechunker.stores.overlap import names_of
from rechunker.stores.wrappers import unwrap

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

    def find(
        self, among: Iterable[StorePath], *, above: bool = False, below: bool = False
    ) -> StorePath | None:
        """Return the first of other places whose store shows one of the objects; None if none does.

        Objects are asked for by their keys, all at the same time: for each place at most as many as
        there are names in the paths. Stores in memory are listed.

        Parameters
        ----------
        among
            The other places.
        above
            Whether to look at the places and at their parents.
        below
            Whether to look at the places and at what lies in them.
        """
        asked: list[tuple[StorePath, str]] = []
        with ExitStack() as stack:
            for place in among:
                store = stack.enter_context(reading(place.store))
                if store is not None:
                    forget_listings(store)
                    keys = [*(self._above(place) if above else ())]
                    keys += self._below(place) if below else ()
                    there = StorePath(store, place.path)
                    asked += [(there, key) for key in dict.fromkeys(keys)]
            found = access.get_all((place.store, key) for place, key in asked)
            for (place, key), value in zip(asked, found, strict=True):
                content = _ask_again(place, key) if isinstance(value, BaseException) else value
                if content is not None and self.run.encode() in content.to_bytes():
                    return place
        return None

    def _below(self, at: StorePath) -> Iterator[str]:
        """Yield the keys of the objects if they lie at a place or below it.

        What leads from there to an object are the last names of its path. How many of the names do
        is unknown, as stores have roots of their own.
        """
        paths = [names_of(place) for place in self.places]
        common = len(os.path.commonprefix(paths))
        for i, names in enumerate(paths):
            # More names than these lead through what the places have in common, so they have been
            # tried with the first of them.
            longest = len(names) if i == 0 else len(names) - common - 1
            for n in range(longest + 1):
                yield _join(at.path, *names[len(names) - n :], self.name)
        if isinstance(unwrap(at.store), MemoryStore | MappingStore):
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
        access.put(place.store, key, Holder.here(run, FOR_LIFE).pack())
        try:
            yield mark
        finally:
            access.delete(place.store, key)


def _ask_again(place: StorePath, key: str) -> Buffer | None:
    """Return an object that could not be read; None if the store works, but refuses the key.

    Some stores refuse keys that they do not know, such as icechunk (2.3), or that are not there,
    such as buckets that may not be listed.
    """
    find_node(place)
    (value,) = access.get_all([(place.store, key)])
    return None if isinstance(value, BaseException) else value


def _join(*parts: str) -> str:
    return "/".join(parts).lstrip("/")
