"""Publishing: the stages before and after all copying, which clear and publish the target."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import zarr
from zarr.abc.store import Store
from zarr.buffer import cpu
from zarr.storage import StorePath

from rechunker.metadata import quiet
from rechunker.stores import access, find_node
from rechunker.types import Traffic

__all__ = ["Finish", "Start"]


@dataclass(frozen=True)
class Start:
    """Delete what the target replaces.

    Parameters
    ----------
    replaced
        Places of arrays and groups to delete, with everything below them, and the metadata that
        they had when the plan was made. If the metadata differ now, an earlier run of this plan
        has replaced them: a task that runs again must not delete what came after it.
    """

    replaced: tuple[tuple[StorePath, bytes], ...]

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for _ in tasks:
            for place, metadata in self.replaced:
                node = find_node(place)
                if node is not None and node.metadata == metadata:
                    access.delete_dir(place.store, place.path)
            yield Traffic()


@dataclass(frozen=True)
class Finish:
    """Write the metadata, without which nothing can be opened, and delete temporary objects.

    Parameters
    ----------
    store
        Store of the target.
    documents
        Keys and contents, in the order in which they are written: children before parents.
    consolidate
        Paths of the groups whose metadata are consolidated.
    temp
        Stores, and keys of folders in them, to delete.
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
                with quiet():
                    zarr.consolidate_metadata(StorePath(self.store, path))
            for store, folder in self.temp:
                access.delete_dir(store, folder)
            yield Traffic()
