"""Wrappers: the store inside those of `zarr.storage.WrapperStore`."""

from __future__ import annotations

from copy import copy

from zarr.abc.store import Store
from zarr.storage import WrapperStore

__all__ = ["unwrap", "with_inner"]


def unwrap(store: Store) -> Store:
    """Return the store inside any number of wrappers.

    The documentation of `zarr.storage.WrapperStore` names its attribute ``_store`` (zarr 3.1.6 to
    3.4.2).
    """
    while isinstance(store, WrapperStore):
        store = store._store
    return store


def with_inner(store: Store, inner: Store) -> Store:
    """Return a store like this one, with another one inside its wrappers."""
    if not isinstance(store, WrapperStore):
        return inner
    wrapper = copy(store)
    wrapper._store = with_inner(store._store, inner)
    return wrapper
