"""Zarr settings: the user's `zarr.config`, which travels from the planner to the tasks."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import zarr

__all__ = ["changed_settings", "having"]

_lock = threading.Lock()
_users: Counter[str] = Counter()
_set: dict[str, Any] = {}


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
    order than it was set.
    """
    key = json.dumps(sorted(settings.items()), default=repr)
    with _lock:
        if not _users[key]:
            _set[key] = zarr.config.set(dict(settings))
        _users[key] += 1
    try:
        yield
    finally:
        with _lock:
            _users[key] -= 1
            if not _users[key]:
                del _users[key]
                _set.pop(key).__exit__(None, None, None)
