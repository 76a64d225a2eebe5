"""Unchanged: what a target is made from is what it was when the plan was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from zarr.abc.store import Store
from zarr.storage import StorePath

from rechunker.copying import StoredArray, check_keys
from rechunker.stores import check_unchanged, is_quick, side_by_side

__all__ = ["Sources"]

T = TypeVar("T")


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
        _check_all(self.nodes, lambda node: node[0].store, lambda node: check_unchanged(*node))
        _check_all(self.arrays, lambda array: array.store, _check_array)


def _check_all(
    items: Sequence[T], store_of: Callable[[T], Store], check: Callable[[T], None]
) -> None:
    """Check items that lie in any stores; where requests take time, several at the same time."""
    for quick in (True, False):
        alike = [item for item in items if is_quick(store_of(item)) is quick]
        if alike:
            side_by_side(store_of(alike[0]), check, alike)


def _check_array(array: StoredArray) -> None:
    array.check_unchanged()
    check_keys(array)
