"""Auto sizes: the largest chunks and shards with "auto" sizes for which there is a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from rechunker.metadata import AUTO_BYTES, Document, chunk_shapes
from rechunker.planning import MemoryLimitError
from rechunker.sources import Hierarchy

__all__ = ["plan_auto_sizes"]

Planned = TypeVar("Planned")

# A task has room for about this many objects: it holds what it reads, what it writes, and both of
# them encoded, and several threads have one in hand each. Some codecs need more.
_OBJECTS_IN_MEMORY = 8
# What does not fit after so many trials does not fit because of something else.
_TRIALS = 6


def plan_auto_sizes(
    requested: Callable[[int], Hierarchy],
    planned: Callable[[Hierarchy], Planned],
    max_mem: int,
    request: Any,
) -> tuple[Hierarchy, Planned]:
    """Return what is planned, with objects of "auto" sizes as large as memory can hold.

    Parameters
    ----------
    requested
        Returns the arrays and groups of the target, given the largest number of bytes of an object
        with an "auto" size.
    planned
        Plans them.
    max_mem
        Memory limit per task in bytes.
    request
        Chunks and options as the user wrote them. Where nothing in them is "auto", and no shards of
        the source are scaled, the source is looked at once.

    Raises
    ------
    MemoryLimitError
        If there is no plan for an array, even if such objects are small.
    """
    limit = max_mem // _OBJECTS_IN_MEMORY
    hierarchy = requested(limit)
    refused: MemoryLimitError | None = None
    for _ in range(_TRIALS):
        try:
            return hierarchy, planned(hierarchy)
        except MemoryLimitError as error:
            refused = refused or error
            if not (_names_auto(request) or _has_shards(hierarchy, error.array)):
                raise
            before, limit = _document(hierarchy, error.array), min(limit, AUTO_BYTES)
            limit = min(limit // 2, limit * max_mem // error.needed)
            hierarchy = requested(limit)
            if _document(hierarchy, error.array) == before:  # nothing in it can be smaller
                break
    assert refused is not None
    raise refused


def _names_auto(request: Any) -> bool:
    """Return whether an "auto" stands anywhere in what the user wrote."""
    if isinstance(request, Mapping):
        return any(map(_names_auto, request.values()))
    if isinstance(request, tuple | list):
        return any(map(_names_auto, request))
    return isinstance(request, str) and request == "auto"


def _has_shards(hierarchy: Hierarchy, name: str) -> bool:
    document = _document(hierarchy, name)
    return document is not None and chunk_shapes(document).shards is not None


def _document(hierarchy: Hierarchy, name: str) -> Document | None:
    return next((r.document for r in hierarchy.arrays if r.name == name), None)
