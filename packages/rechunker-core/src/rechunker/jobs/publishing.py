"""Publishing: the stages before and after all copying, which clear and publish the target."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import zarr
from zarr.abc.store import Store
from zarr.buffer import cpu
from zarr.storage import StorePath

from rechunker.copying import StoredArray, check_count
from rechunker.jobs.apart import Apart
from rechunker.metadata import quiet
from rechunker.stores import (
    CLAIM,
    METADATA,
    Claim,
    Holder,
    TargetInUseError,
    access,
    check_unchanged,
    digest_of,
    find_node,
)
from rechunker.types import Traffic

__all__ = ["Finish", "Root", "Sources", "Start"]

# Names of chunks, or of the folders that hold them, and what a LocalStore leaves of a write that
# was killed.
_CHUNK = re.compile(r"(c|(c\.)?\d+(\.\d+)*)(\.[0-9a-f]+\.partial)?")


@dataclass(frozen=True)
class Root:
    """An array or group of the target that is cleared and claimed as a whole.

    Parameters
    ----------
    place
        Where it is.
    arrays
        Places of the arrays in it, or its own.
    planned
        Metadata of what was there when the plan was made; None if there was nothing.
    digest
        Digest of the metadata that this plan writes (`rechunker.stores.digest_of`).
    overwrite
        Whether what is there may be deleted.
    claim
        Claim of this run; None if the store cannot hold one.
    """

    place: StorePath
    arrays: tuple[StorePath, ...]
    planned: bytes | None
    digest: str
    overwrite: bool
    claim: Claim | None

    def take(self) -> Holder | None:
        """Claim the place, and return the claim if what the target replaces is to be deleted.

        Raises
        ------
        FileExistsError
            If something appeared there since the plan was made, and must not be replaced.
        TargetInUseError
            If another run writes there.
        """
        self._check()
        if self.claim is None:
            if find_node(self.place) is not None:
                access.delete_dir(self.place.store, self.place.path)  # raises, and says why
            return None
        if self.claim.holder() is None and self.is_published():
            return None  # this task is run again, after the last one has given the target free
        holder = self.claim.take(overwrite=self.overwrite)
        return None if holder.cleared else holder

    def _check(self) -> None:
        node = find_node(self.place)
        if self.overwrite or (node is not None and node.metadata == self.planned):
            return
        if self.is_published():
            return  # this plan is executed once more
        if node is not None or self.nodes():
            raise FileExistsError(
                f"there is {node or 'an array or a group'} in {self.place} that was not there when "
                "rechunk() was called; choose another target_store, or give "
                "target_options={'overwrite': True}"
            )

    def is_published(self) -> bool:
        """Return whether the metadata that this plan writes are there."""
        node = find_node(self.place)
        is_new = node is not None and node.metadata != self.planned
        return is_new and node is not None and digest_of(node.metadata) == self.digest

    def renew(self) -> None:
        """Add a line break to metadata that are, to the byte, those of what was replaced.

        A start that runs once more after the end knows by the bytes that it is late.
        """
        node = find_node(self.place)
        if node is not None and node.metadata == self.planned:
            renewed = cpu.Buffer.from_bytes(node.metadata + b"\n")
            access.put(self.place.store, (self.place / node.name).path, renewed)

    def nodes(self) -> list[str]:
        """Return the keys of all metadata at the place and below it."""
        store = self.place.store
        if not (store.supports_listing and store.supports_deletes):
            return []  # an archive, where nothing can be deleted
        return access.find_keys(self.place.store, _below(self.place), _is_metadata)

    def clear(self, nodes: list[str]) -> None:
        """Delete what is there: metadata first, parents before children, and not the claim.

        What is left by a process that is killed in between does not open.

        Parameters
        ----------
        nodes
            Keys of all metadata there.
        """
        for key in sorted(nodes, key=lambda key: (key.count("/"), METADATA.index(_name(key)))):
            access.delete(self.place.store, key)
        if nodes:
            _delete_in(self.place, lambda name: name != CLAIM)
        elif self.place.store.supports_listing:
            # What an earlier run, or somebody who deleted the metadata alone, has left.
            for place in self.arrays:
                _delete_in(place, lambda name: _CHUNK.fullmatch(name) is not None)


def _delete_in(place: StorePath, wanted: Callable[[str], bool]) -> None:
    for name in filter(wanted, access.list_dir(place.store, place.path)):
        access.delete_dir(place.store, (place / name).path)
        access.delete(place.store, (place / name).path)


def _below(place: StorePath) -> str:
    return f"{place.path}/" if place.path else ""


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _is_metadata(key: str) -> bool:
    return _name(key) in METADATA


@dataclass(frozen=True)
class Sources:
    """What the target is made from, as it was when the plan was made.

    Parameters
    ----------
    nodes
        Places of arrays and groups, with the digests of their metadata.
    arrays
        Arrays whose stored objects are read.
    """

    nodes: tuple[tuple[StorePath, str | None], ...] = ()
    arrays: tuple[StoredArray, ...] = ()

    def check(self) -> None:
        """Check that nothing has changed.

        Raises
        ------
        FileNotFoundError, ValueError
            If something is gone, or is not what it was.
        """
        for place, digest in self.nodes:
            check_unchanged(place, digest)
        for array in self.arrays:
            array.check_unchanged()
            check_count(array)


@dataclass(frozen=True)
class Start:
    """Claim the target, and delete what it replaces, unless that is done already.

    Parameters
    ----------
    roots
        What the target consists of.
    sources
        What the target is made from.
    apart
        Checks that the target is apart from the sources; None without a target.
    """

    roots: tuple[Root, ...]
    sources: Sources
    apart: Apart | None = None

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for _ in tasks:
            self.sources.check()
            self._start()
            yield Traffic()

    def _start(self) -> None:
        claimed: list[tuple[Root, Claim, Holder]] = []
        for root in self.roots:
            holder = root.take()
            if root.claim is not None and holder is not None:
                claimed.append((root, root.claim, holder))
        nodes = [root.nodes() for root, _, _ in claimed]
        try:
            if self.apart is not None:
                places = [root.place for root, _, _ in claimed]
                self.apart.check(list(zip(places, nodes, strict=True)))
        except BaseException:
            for _, claim, _ in claimed:
                claim.release()
            raise
        for (root, claim, holder), keys in zip(claimed, nodes, strict=True):
            root.clear(keys)
            claim.set_cleared(holder)


@dataclass(frozen=True)
class Finish:
    """Write the metadata, without which nothing can be opened, and delete temporary objects.

    Parameters
    ----------
    store
        Store of the target.
    roots
        What the target consists of.
    sources
        What the target is made from.
    documents
        Keys and contents, in the order in which they are written: children before parents.
    consolidate
        Paths of the groups whose metadata are consolidated.
    temp
        Stores, and keys of folders in them, to delete.
    """

    store: Store
    roots: tuple[Root, ...]
    sources: Sources
    documents: tuple[tuple[str, bytes], ...]
    consolidate: tuple[str, ...] = ()
    temp: tuple[tuple[Store, str], ...] = ()

    def __call__(self, tasks: range) -> Iterator[Traffic]:
        for _ in tasks:
            if not self._is_done():
                try:
                    self._publish()
                except TargetInUseError:
                    # This task may be run twice at the same time, and the other run was faster.
                    if not self._is_done():
                        raise
            yield Traffic()

    def _publish(self) -> None:
        claims = [root.claim for root in self.roots if root.claim is not None]
        for claim in claims:
            claim.check()
        self.sources.check()
        for key, content in self.documents:
            access.put(self.store, key, cpu.Buffer.from_bytes(content))
        for path in self.consolidate:
            with quiet():
                zarr.consolidate_metadata(StorePath(self.store, path))
        for root in self.roots:
            root.renew()
        for store, folder in self.temp:
            access.delete_dir(store, folder)
        for claim in claims:
            claim.release()

    def _is_done(self) -> bool:
        """Return whether this task has run before: its claims are gone, its target is there."""
        gone = [root.claim is not None and root.claim.holder() is None for root in self.roots]
        return all(gone) and all(root.is_published() for root in self.roots)
