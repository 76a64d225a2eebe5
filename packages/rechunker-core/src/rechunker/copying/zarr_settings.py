"""Zarr settings: the user's `zarr.config`, which travels from the planner to the tasks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import zarr

__all__ = ["changed_settings", "having"]

# A collection of garbage may end such a context wherever another begins in the same thread.
_lock = threading.RLock()
_users: Counter[str] = Counter()
_changes: dict[str, tuple[Mapping[str, Any], Any]] = {}


def changed_settings() -> dict[str, Any]:
    """Return the settings of `zarr.config` that differ from Zarr's defaults, by dotted name."""
    usual: dict[str, Any] = {}
    for defaults in zarr.config.defaults:
        usual.update(_flat(defaults))
    now = dict(_flat(zarr.config.config))
    return {name: value for name, value in now.items() if name not in usual or usual[name] != value}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


@contextmanager
def having(settings: Mapping[str, Any]) -> Iterator[None]:
    """Have settings in `zarr.config` within a context, which several threads may be in at a time.

    `zarr.config` is that of the process. The first thread changes it, and the last one takes the
    changes back: where each did, one would take back what another is at work with, and in another
    order than it was set. Of different settings at a time, those that were set last hold for all.
    """
    key = repr(sorted(settings.items()))
    with _lock:
        _users[key] += 1
        if _users[key] == 1:
            _changes[key] = settings, zarr.config.set(dict(settings))
    try:
        yield
    finally:
        with _lock:
            _users[key] -= 1
            if not _users[key]:
                _take_back(key)


def _take_back(key: str) -> None:
    """Take back the changes of some settings, and make those anew that were made after them."""
    later: list[tuple[str, Mapping[str, Any]]] = []
    while _changes:
        name, (settings, change) = _changes.popitem()
        change.__exit__(None, None, None)
        if name == key:
            break
        later.append((name, settings))
    for name, settings in reversed(later):
        _changes[name] = settings, zarr.config.set(dict(settings))
    del _users[key]
