"""Roots: the arrays and groups of a target that are claimed, cleared and published as a whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import NamedTuple

from zarr.buffer import cpu
from zarr.storage import LocalStore, StorePath

from rechunker.stores import (
    CLAIM,
    JOURNAL,
    METADATA,
    NODES_V2,
    Claim,
    Holder,
    Journal,
    Node,
    access,
    digest_of,
    find_node,
    has_folders,
    side_by_side,
    unwrap,
    without_secrets,
)

__all__ = ["Contents", "Root", "cannot_be_replaced", "is_below", "is_node"]

# Names of chunks, or of the folders that hold them, and what a LocalStore leaves of a write that
# was killed.
_CHUNK = re.compile(r"(c|(c\.)?\d+(\.\d+)*)(\.[0-9a-f]+\.partial)?")
_CHUNK_KEY = re.compile(r"(c[/.])?\d+([/.]\d+)*(\.[0-9a-f]+\.partial)?")
_PARTIAL = re.compile(r"\.[0-9a-f]{32}\.partial$")


class Contents(NamedTuple):
    """What is at a place: keys of metadata, and whether there is anything else but claims."""

    nodes: list[str]
    others: bool


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
    own
        Keys of the metadata of all arrays and groups that it writes there, without attributes.
    overwrite
        Whether what is there may be deleted.
    claim
        Claim of this run; None if the store cannot hold one.
    journal
        Journal of the target; None if it can hold none.
    again
        Whether the plan was executed before, so that what it has published may be deleted.
    """

    place: StorePath
    arrays: tuple[StorePath, ...]
    planned: bytes | None
    digest: str
    own: frozenset[str]
    overwrite: bool
    claim: Claim | None
    journal: Journal | None = None
    again: bool = False

    def take(self, *, is_copied: bool = False) -> Holder | None:
        """Claim the place, and return the claim if the place is to be made ready for chunks.

        Parameters
        ----------
        is_copied
            Whether an earlier run has written all chunks, so that its metadata may be there.

        Raises
        ------
        FileExistsError
            If something appeared there since the plan was made, and must not be replaced.
        TargetInUseError
            If another run writes there.
        """
        if self.is_free() and self.is_published():
            return None  # this task is run again, after the last one has given the target free
        if not is_copied:
            self.check()
        if self.claim is None:
            if find_node(self.place) is not None:
                raise FileExistsError(cannot_be_replaced(self.place))
            return None
        holder = self.claim.take(overwrite=self.overwrite)
        if holder.cleared:
            return None
        if holder.is_unheld and self.is_published():
            self.claim.release(holder.execution)  # the last task has ended since the first look
            return None
        return holder

    def check(self) -> None:
        """Check that what is at the place may be replaced.

        Raises
        ------
        FileExistsError
            If it appeared there since the plan was made, and must not be replaced.
        """
        if self.overwrite:
            return
        node = find_node(self.place)
        if node is not None and node.metadata == self.planned:
            return
        nodes = self.contents().nodes
        is_ours = self._is_new(node) and (not nodes or self.own == set(filter(is_node, nodes)))
        if is_ours and (self.again or self._is_of_this_run() or self._is_unfinished()):
            return  # this plan is executed once more
        shown = without_secrets(self.place)
        if node is not None:
            raise FileExistsError(
                f"there is {node} in {shown} that was not there when rechunk() was called, or that "
                "holds more than this plan has written; call rechunk() again, or choose another "
                "target_store"
            )
        if any(map(is_node, nodes)):  # not attributes alone, which a run that died wrote first
            raise FileExistsError(
                f"there is an array or a group in {shown}, which itself is no group, so that it "
                "would be deleted; choose another target_store, or call zarr.create_group() there "
                "to have the target added to the group"
            )

    def _is_of_this_run(self) -> bool:
        """Return whether the run goes on that has published what is there."""
        if self.claim is None:
            return False
        holder = self.claim.holder()
        return holder is not None and holder.run == self.claim.run and holder.cleared

    def _is_unfinished(self) -> bool:
        """Return whether a run has died while it published the target."""
        return self.journal is not None and self.journal.is_copied

    def is_there(self) -> bool:
        """Return whether there is an array or a group with the metadata that this plan writes."""
        return self._is_ours(find_node(self.place))

    def is_free(self) -> bool:
        """Return whether nobody has a claim on the place."""
        return self.claim is not None and self.claim.holder() is None

    def is_published(self) -> bool:
        """Return whether the metadata that this plan writes are there, and are new."""
        return self._is_new(find_node(self.place))

    def _is_ours(self, node: Node | None) -> bool:
        return node is not None and digest_of(node.metadata) == self.digest

    def _is_new(self, node: Node | None) -> bool:
        return node is not None and self._is_ours(node) and node.metadata != self.planned

    def renew(self) -> None:
        """Add a line break to metadata that are, to the byte, those of what was replaced.

        A start that runs once more after the end knows by the bytes that it is late.
        """
        node = None if self.planned is None else find_node(self.place)
        if node is not None and node.metadata == self.planned:
            renewed = cpu.Buffer.from_bytes(node.metadata + b"\n")
            access.put(self.place.store, (self.place / node.name).path, renewed)

    def contents(self) -> Contents:
        """Look at what is at the place and below it."""
        store = self.place.store
        others = has_folders(store)  # which a listing of keys does not show
        if not (store.supports_listing and store.supports_deletes):
            return Contents([], True)  # an archive, where nothing can be deleted

        def is_wanted(key: str) -> bool:
            nonlocal others
            is_metadata = _name(key) in METADATA
            others = others or not (is_metadata or _name(key) == CLAIM)
            return is_metadata

        return Contents(access.find_keys(store, _below(self.place), is_wanted), others)

    def clear(self, contents: Contents) -> None:
        """Delete what is there: metadata first, parents before children, and not the claim.

        What is left by a process that is killed in between does not open, and nobody takes it for
        a run that can be resumed.
        """
        Journal(self.place).void()
        store = self.place.store
        for _, keys in groupby(sorted(contents.nodes, key=_order), _order):
            side_by_side(store, partial(access.delete, store), keys)
        if any(map(is_node, contents.nodes)):
            _delete_in(self.place, lambda name: name != CLAIM)
        elif contents.others and self.place.store.supports_listing:
            # What an earlier run, or somebody who deleted the metadata alone, has left.
            arrays = {place.path for place in self.arrays}
            others = [] if self.place.path in arrays else [(self.place, False)]
            places = [*others, *((place, True) for place in self.arrays)]
            side_by_side(self.place.store, _delete_remains, places)

    def sweep(self) -> None:
        """Delete what a LocalStore leaves where a process is killed while it writes a file.

        Files that are younger than the claim may be under way.
        """
        store = unwrap(self.place.store)
        if self.claim is None or not isinstance(store, LocalStore):
            return
        for key in access.find_keys(self.place.store, _below(self.place), _is_partial):
            with suppress(FileNotFoundError):
                changed = (store.root / self.claim.key).stat().st_mtime_ns
                if (store.root / key).stat().st_mtime_ns < changed:
                    (store.root / key).unlink()


def _delete_remains(where: tuple[StorePath, bool]) -> None:
    """Delete what a dead run has left at a place, and chunks if it is that of an array."""
    place, is_array = where
    names = access.list_dir(place.store, place.path)
    for name in names:
        if name == JOURNAL or _is_partial(name):
            _delete(place / name)
    if is_array:
        _delete_chunks(place, names)


def _delete_chunks(place: StorePath, names: Sequence[str]) -> None:
    """Delete the objects whose names are those of chunks, and nothing else that lies among them."""
    for name in names:
        if _is_partial(name) or _CHUNK.fullmatch(name) is None:
            continue
        top = place / name
        keys = access.find_keys(place.store, f"{top.path}/", lambda key: True)
        chunks = [key for key in keys if _CHUNK_KEY.fullmatch(key[len(_below(place)) :])]
        if len(chunks) == len(keys):
            _delete(top)
        else:
            for key in chunks:
                access.delete(place.store, key)


def _delete_in(place: StorePath, wanted: Callable[[str], bool]) -> None:
    names = filter(wanted, access.list_dir(place.store, place.path))
    side_by_side(place.store, _delete, [place / name for name in names])


def _delete(place: StorePath) -> None:
    """Delete the object at a place, and all below it."""
    access.delete_dir(place.store, place.path)
    access.delete(place.store, place.path)


def _below(place: StorePath) -> str:
    return f"{place.path}/" if place.path else ""


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _order(key: str) -> tuple[int, int]:
    """Return the place of metadata in the order in which they are deleted."""
    return key.count("/"), METADATA.index(_name(key))


def _is_partial(key: str) -> bool:
    return _PARTIAL.search(key) is not None


def is_below(key: str, place: StorePath) -> bool:
    """Return whether a key is that of an object at a place, or below it."""
    return key.startswith(_below(place))


def is_node(key: str) -> bool:
    """Return whether an object makes an array or a group of what is around it."""
    return _name(key) in ("zarr.json", *NODES_V2)


def cannot_be_replaced(place: StorePath) -> str:
    """Return what to do about an array or a group in an archive."""
    return (
        f"{without_secrets(place)} is in an archive, where nothing can be deleted, so that what is "
        "there cannot be replaced; choose another target_store"
    )
