"""Targets that may be unfinished: their values, and whether they open at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr

__all__ = ["arrays", "is_equal", "opened"]


def arrays(place: Any) -> dict[str, Any]:
    """Return the values of all arrays at a place; raises an error if it does not open."""
    node = zarr.open(place, mode="r")
    if isinstance(node, zarr.Array):
        return {"": node[...]}
    group = zarr.open_group(place, mode="r", use_consolidated=False)
    members = group.members(max_depth=None)
    return {name: node[...] for name, node in members if isinstance(node, zarr.Array)}


def opened(place: Any) -> dict[str, Any] | None:
    """Return the values of all arrays of a target; None if it does not open."""
    try:
        return arrays(place)
    except FileNotFoundError:
        return None


def is_equal(found: dict[str, Any] | None, wanted: dict[str, Any] | None) -> bool:
    if found is None or wanted is None:
        return False
    same = found.keys() == wanted.keys()
    return same and all(np.array_equal(found[name], wanted[name]) for name in wanted)
