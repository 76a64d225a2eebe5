"""What happens around the copying: clearing the target before, publishing it after."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import zarr
from zarr.abc.store import Store
from zarr.buffer import cpu
from zarr.storage import StorePath

from rechunker.stores import access
from rechunker.types import Traffic

__all__ = ["Finish", "Start", "node_metadata"]


@dataclass(frozen=True)
class Start:
    """Delete what the target replaces.

    Parameters
    ----------
    replaced
        Places of arrays and groups that go, with all below them, and the metadata they had when
        the plan was made. Where there are others now, they are this very plan's own: a task that
        is run again must not delete what came after it.
    """

    replaced: tuple[tuple[StorePath, bytes], ...]

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for _ in tasks:
            for place, metadata in self.replaced:
                if node_metadata(place) == metadata:
                    access.delete_dir(place.store, place.path)
            yield Traffic()


def node_metadata(place: StorePath) -> bytes | None:
    """Return the metadata of the array or group at a place, as stored; None if there is none."""
    for name in ("zarr.json", ".zarray", ".zgroup"):
        found = access.get(place.store, (place / name).path)
        if found is not None:
            return found.to_bytes()
    return None


@dataclass(frozen=True)
class Finish:
    """Write the metadata, without which nothing can be opened, and remove what is temporary.

    Parameters
    ----------
    store
        The target's store.
    documents
        Keys and contents, in the order in which they are written: children before their parents.
    consolidate
        Paths of groups whose metadata are consolidated.
    temp
        Stores and keys of folders to be removed.
    """

    store: Store
    documents: tuple[tuple[str, bytes], ...]
    consolidate: tuple[str, ...] = ()
    temp: tuple[tuple[Store, str], ...] = ()

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for _ in tasks:
            for key, content in self.documents:
                access.put(self.store, key, cpu.Buffer.from_bytes(content))
            for path in self.consolidate:
                _consolidate(StorePath(self.store, path))
            for store, folder in self.temp:
                access.delete_dir(store, folder)
            yield Traffic()


def _consolidate(path: StorePath) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # v3 has no word on consolidated metadata (yet)
        zarr.consolidate_metadata(path)
