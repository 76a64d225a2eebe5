"""Stored counts: how many objects of an array are there, where listing them is cheap."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING

from zarr.storage import LocalStore, StorePath

from rechunker.stores import access, unwrap

if TYPE_CHECKING:
    from rechunker.copying.stored_array import StoredArray

__all__ = ["check_count", "count_objects"]

# Objects of an array that are listed: files within a fraction of a second, others with few
# requests, which mostly return 1,000 keys.
_MOST_FILES = 100_000
_MOST_OTHERS = 5_000
_KEY = re.compile(r"(?:c[./])?(\d+(?:[./]\d+)*)|c")


def count_objects(array: StoredArray) -> int | None:
    """Return how many objects of an array are stored.

    Parameters
    ----------
    array
        A source.

    Returns
    -------
    int or None
        None where listing is not cheap, not supported or not allowed, or where the names of
        chunks are of a kind of their own.
    """
    most = _MOST_FILES if isinstance(unwrap(array.store), LocalStore) else _MOST_OTHERS
    if prod(array.objects) > most or not array.store.supports_listing:
        return None
    first = (0,) * len(array.objects)
    if _index(array, array.key(first)) != first:
        return None
    try:
        return _count(array)
    except Exception:  # noqa: BLE001 - a store that may not be listed raises an error of its own
        return None


def _count(array: StoredArray) -> int:
    prefix = f"{array.path}/" if array.path else ""
    return len(access.find_keys(array.store, prefix, lambda key: _index(array, key) is not None))


def _index(array: StoredArray, key: str) -> tuple[int, ...] | None:
    """Return the index of the object that has a key; None if it is no object of the grid."""
    match = _KEY.fullmatch(key[len(array.path) + 1 if array.path else 0 :])
    if match is None:
        return None
    index = tuple(map(int, re.split("[./]", match[1]))) if match[1] and array.objects else ()
    counts = array.objects
    inside = len(index) == len(counts) and all(i < n for i, n in zip(index, counts, strict=True))
    return index if inside and array.key(index) == key else None


def check_count(array: StoredArray) -> None:
    """Check that as many objects are stored as when the plan was made, if they were counted.

    Parameters
    ----------
    array
        A source.

    Raises
    ------
    ValueError
        If there are more or fewer.
    """
    if array.stored_count is None:
        return
    now = _count(array)
    if now != array.stored_count:
        raise ValueError(
            f"the source {StorePath(array.store, array.path)} is not what it was when rechunk() "
            f"was called: {array.stored_count:,} chunks were stored then, {now:,} are now; restore "
            "what is missing, or call rechunk() again"
        )
