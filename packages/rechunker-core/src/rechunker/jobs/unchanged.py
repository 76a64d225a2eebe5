"""Unchanged: what a target is made from is what it was when the plan was made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from zarr.abc.store import Store
from zarr.storage import StorePath

from rechunker.copying import StoredArray, check_keys
from rechunker.stores import check_unchanged, side_by_side

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
        for nodes in _by_store(self.nodes, lambda node: node[0].store):
            side_by_side(nodes[0][0].store, lambda node: check_unchanged(*node), nodes)
        for arrays in _by_store(self.arrays, lambda array: array.store):
            side_by_side(arrays[0].store, _check_array, arrays)


def _by_store(items: Iterable[T], store_of: Callable[[T], Store]) -> Iterable[list[T]]:
    found: dict[int, list[T]] = {}
    for item in items:
        found.setdefault(id(store_of(item)), []).append(item)
    return found.values()


def _check_array(array: StoredArray) -> None:
    array.check_unchanged()
    check_keys(array)
