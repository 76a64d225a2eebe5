"""Stored counts: how many objects of an array are there, where listing them is cheap."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from zarr.storage import LocalStore, StorePath

from rechunker.stores import access, unwrap

if TYPE_CHECKING:
    from rechunker.copying.stored_array import StoredArray

__all__ = ["check_count", "count_objects"]

# Objects of an array that are listed: files within a fraction of a second, others with few
# requests, which mostly return 1,000 keys.
_MOST_FILES = 100_000
_MOST_OTHERS = 5_000


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
    corners = [tuple(0 for _ in array.objects), tuple(n - 1 for n in array.objects)]
    if not all(map(_Keys.of(array).contain, map(array.key, corners))):
        return None
    try:
        return _count(array)
    except Exception:  # noqa: BLE001 - a store that may not be listed raises an error of its own
        return None


def _count(array: StoredArray) -> int:
    prefix = f"{array.path}/" if array.path else ""
    return len(access.find_keys(array.store, prefix, _Keys.of(array).contain))


class _Keys(NamedTuple):
    """Keys of the objects of an array: what comes first, and numbers with separators."""

    prefix: str
    separator: str
    counts: tuple[int, ...]

    @classmethod
    def of(cls, array: StoredArray) -> _Keys:
        counts = array.objects
        first = array.key((0,) * len(counts))
        numbers = re.search(r"0([./]0)*$", first)
        if not counts or numbers is None:
            return cls(first, "/", counts)  # the only key; or keys of another kind: contains none
        return cls(first[: numbers.start()], (numbers[1] or "/")[0], counts)

    def contain(self, key: str) -> bool:
        """Return whether a key is that of an object of the grid."""
        if not key.startswith(self.prefix):
            return False
        rest = key[len(self.prefix) :]
        if not self.counts:
            return not rest
        numbers = rest.split(self.separator)
        return len(numbers) == len(self.counts) and all(
            number.isdecimal()
            and len(number) <= len(str(count))
            and str(int(number)) == number
            and int(number) < count
            for number, count in zip(numbers, self.counts, strict=True)
        )


def check_count(array: StoredArray) -> None:
    """Check that as many objects are stored as when the plan was made, if they were counted.

    Where none was missing, nothing is listed: reading a missing object is an error then
    (`StoredArray.confirm_missing`).

    Parameters
    ----------
    array
        A source.

    Raises
    ------
    ValueError
        If there are more or fewer.
    """
    if array.stored_count in (None, prod(array.objects)):
        return
    now = _count(array)
    if now != array.stored_count:
        raise ValueError(
            f"the source {StorePath(array.store, array.path)} is not what it was when rechunk() "
            f"was called: {array.stored_count:,} chunks were stored then, {now:,} are now; restore "
            "what is missing, or call rechunk() again"
        )
