"""Paths of arrays in a group, as users write them in the keys of an argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["by_path"]


def by_path(argument: Any, what: str) -> Any:
    """Return an argument with the slashes around its keys removed, as Zarr names its arrays.

    Parameters
    ----------
    argument
        A dict by path of an array; anything else is returned as it is.
    what
        Name of the argument in error messages.

    Raises
    ------
    ValueError
        If two keys are the same path.

    Examples
    --------
    >>> by_path({"/air": (10, 1), "deep/sea": None}, "target_chunks")
    {'air': (10, 1), 'deep/sea': None}
    """
    if not isinstance(argument, Mapping):
        return argument
    found: dict[Any, Any] = {}
    for key, value in argument.items():
        name = key.strip("/") if isinstance(key, str) else key
        if name in found:
            raise ValueError(f"{what}: {key!r} and {name!r} are one array; give only one of them")
        found[name] = value
    return found
