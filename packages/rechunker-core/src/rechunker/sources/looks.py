"""Looks: what is known of a Zarr array before it is read, asked about many arrays at a time."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import zarr
from zarr.abc.store import Store
from zarr.storage import StorePath

from rechunker.copying import StoredArray, StoredKeys, find_stored
from rechunker.metadata import (
    REFUSALS,
    Document,
    Shape,
    array_from_document,
    as_read,
    check_codecs_of_source,
    chunk_shapes,
    document_of,
    refusal,
)
from rechunker.stores import (
    Member,
    absolute_place,
    access,
    digest_of,
    node_digest,
    side_by_side,
)

__all__ = ["Look", "Opened", "look_at", "opened", "opened_member", "sample"]

# Number of stored objects to sample for their size, or for the length of their elements.
_SAMPLED = 3


class Opened(NamedTuple):
    """A Zarr array that is read.

    Parameters
    ----------
    array
        The array.
    document
        Its metadata (`document_of`).
    digest
        Digest of its stored metadata (`node_digest`); None if its store is to be asked.
    """

    array: zarr.Array[Any]
    document: Document
    digest: str | None = None


class Look(NamedTuple):
    """What the store of an array says about it.

    Parameters
    ----------
    digest
        Digest of its stored metadata.
    keys
        Which objects are stored, if that is known.
    sizes
        Bytes of a few of them; None for those that are missing.
    """

    digest: str | None
    keys: StoredKeys | None
    sizes: tuple[int | None, ...]

    @classmethod
    def at(cls, stored: StoredArray) -> Look:
        """Ask the store of an array, also for its digest unless that is known."""
        keys = map(stored.key, sample(stored.shape, stored.unit) if 0 not in stored.shape else ())
        sizes = tuple(access.sizes(stored.store, keys))
        digest = stored.digest or node_digest(StorePath(stored.store, stored.path))
        return cls(digest, find_stored(stored), sizes)


def look_at(arrays: Mapping[str, Opened], store: Store) -> dict[str, Look]:
    """Return what a store says about arrays in it, asked about several at the same time.

    Parameters
    ----------
    arrays
        Zarr arrays by any names.
    store
        Their store.
    """
    found = {}
    for name, (array, document, digest) in arrays.items():
        with suppress(*REFUSALS):  # it is refused later on, with a better word
            if chunk_shapes(document).chunks is not None:
                stored = StoredArray.of(absolute_place(array.store_path), document, 1)
                found[name] = replace(stored, digest=digest)
                assert found[name].objects is not None  # parsed here, in the calling thread
    return dict(zip(found, side_by_side(store, Look.at, found.values()), strict=True))


def opened(array: zarr.Array[Any], whose: str) -> Opened:
    """Return an array with its metadata.

    Parameters
    ----------
    array
        Zarr array to read.
    whose
        What error messages call the array.

    Raises
    ------
    TypeError, ValueError
        If its metadata are not those of an array that can be read.
    """
    try:
        document = document_of(array)
        check_codecs_of_source(document)
    except REFUSALS as error:
        raise refusal(f"{whose} cannot be read", error) from error
    return Opened(array, document)


def opened_member(name: str, member: Member, place: StorePath) -> Opened:
    """Return an array of a group, opened from the metadata that were found.

    Parameters
    ----------
    name, member
        Its path in the group, and what was found there.
    place
        Place of the group.

    Raises
    ------
    TypeError, ValueError
        If its metadata are not those of an array that can be read.
    """
    try:
        document = member.document
        check_codecs_of_source(document)
        array, document = array_from_document(document, place / name), as_read(document)
    except REFUSALS as error:
        raise refusal(f"array {name!r} of the source cannot be opened", error) from error
    # Next to an array of format 2 there may be one of format 3, which is found first.
    digest = digest_of(member.metadata) if document["zarr_format"] == 3 else None
    return Opened(array, document, digest)


def sample(shape: Shape, unit: Shape) -> list[tuple[int, ...]]:
    """Return the grid indices of a few units, among them the first and the last."""
    last = [(n - 1) // width for n, width in zip(shape, unit, strict=True)]
    parts = range(_SAMPLED)
    indices = (tuple(index * part // (_SAMPLED - 1) for index in last) for part in parts)
    return list(dict.fromkeys(indices))
