"""Zarr settings: the user's `zarr.config`, which travels from the planner to the tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import zarr

__all__ = ["changed_settings"]


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
