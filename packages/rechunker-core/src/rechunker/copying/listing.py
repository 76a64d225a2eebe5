"""Listing: which objects of an array are there is found out where that is cheap."""

from __future__ import annotations

import re
from itertools import count
from math import prod
from typing import NamedTuple

import numpy as np
from zarr.storage import LocalStore, StorePath

from rechunker.copying.stored_array import StoredArray
from rechunker.copying.stored_keys import StoredKeys
from rechunker.stores import access, unwrap

__all__ = ["check_keys", "find_stored"]

# Keys that are listed: files within a fraction of a second, others with few requests, which mostly
# return 1,000 keys. And objects that an array may have, most of which may be missing: every worker
# holds a byte for each.
_MOST_FILES = 100_000
_MOST_OTHERS = 5_000
_MOST_OBJECTS = 1 << 21


class _TooManyError(Exception):
    """There are more keys than are listed."""


def find_stored(array: StoredArray) -> StoredKeys | None:
    """Return which objects of an array are stored.

    Parameters
    ----------
    array
        A source.

    Returns
    -------
    StoredKeys or None
        None where listing is not cheap, not supported or not allowed, or where the names of
        chunks are of a kind of their own.
    """
    most = _MOST_FILES if isinstance(unwrap(array.store), LocalStore) else _MOST_OTHERS
    if prod(array.objects) > _MOST_OBJECTS or not array.store.supports_listing:
        return None
    corners = [tuple(0 for _ in array.objects), tuple(n - 1 for n in array.objects)]
    keys = _Keys.of(array)
    if any(keys.find(array.key(corner)) is None for corner in corners):
        return None
    try:
        return _find(array, most)
    except Exception:  # noqa: BLE001 - a store that may not be listed raises an error of its own
        return None


def _find(array: StoredArray, most: int | None = None) -> StoredKeys:
    """Return which objects are stored; raise an error if there are more than `most` keys."""
    prefix = f"{array.path}/" if array.path else ""
    keys = _Keys.of(array)
    stored = np.zeros(array.objects, bool)

    seen = count(1)

    def note(key: str) -> bool:
        if most is not None and next(seen) > most:
            raise _TooManyError
        index = keys.find(key)
        if index is not None:
            stored[index] = True
        return False  # there may be many keys, and none of them is needed any more

    access.find_keys(array.store, prefix, note)
    return StoredKeys.of(stored)


class _Keys(NamedTuple):
    """Keys of the objects of an array: what comes first, and numbers with separators."""

    prefix: str
    separator: str
    counts: tuple[int, ...]

    @classmethod
    def of(cls, array: StoredArray) -> _Keys:
        counts = array.objects
        first, path = array.key((0,) * len(counts)), f"{array.path}/" if array.path else ""
        numbers = re.search(r"0([./]0)*$", first[len(path) :])  # the path may end with a number
        if not counts or numbers is None:
            return cls(first, "/", counts)  # the only key; or keys of another kind
        return cls(first[: len(path) + numbers.start()], (numbers[1] or "/")[0], counts)

    def find(self, key: str) -> tuple[int, ...] | None:
        """Return the index in the grid of the object with a key; None if it is no such key."""
        if not key.startswith(self.prefix):
            return None
        rest = key[len(self.prefix) :]
        if not self.counts:
            return None if rest else ()
        numbers = rest.split(self.separator)
        is_key = len(numbers) == len(self.counts) and all(
            number.isdecimal()
            and len(number) <= len(str(n))
            and str(int(number)) == number
            and int(number) < n
            for number, n in zip(numbers, self.counts, strict=True)
        )
        return tuple(map(int, numbers)) if is_key else None


def check_keys(array: StoredArray) -> None:
    """Check that the same objects are stored as when the plan was made, if that is known.

    Where none was missing, nothing is listed: reading a missing object is an error then
    (`StoredArray.confirm_missing`).

    Parameters
    ----------
    array
        A source.

    Raises
    ------
    ValueError
        If there are others.
    """
    before = array.stored_keys
    if before is None or before.are_all:
        return
    now = _find(array)
    if now != before:
        raise ValueError(
            f"the source {StorePath(array.store, array.path)} is not what it was when rechunk() "
            f"was called: {before.count:,} chunks were stored then, {now.count:,} are now"
            f"{', but not the same' if now.count == before.count else ''}; restore what is "
            "missing, or call rechunk() again"
        )
