"""Private names of Dask: the arrays behind a Dask array, and the type of its blocks.

Looked up in Dask 2025.1 to 2026.8. Where a name is missing, nothing is known: memory is estimated
from the blocks alone, and no stored array is found behind a Dask array.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

__all__ = ["block_sizes", "foreign_block_type", "opened_by", "opened_unchanged"]

# Names of graph layers: of objects that `dask.array.from_array` takes parts of, and of changes of
# the blocks that leave the elements alone.
_OPENED = "original-"
_REBLOCKED = ("rechunk-merge-", "rechunk-split-")


def foreign_block_type(array: Any) -> type | None:
    """Return the type of the blocks of a Dask array unless it is NumPy's own, or unknown.

    Parameters
    ----------
    array
        Dask array.
    """
    meta = getattr(array, "_meta", None)  # an empty array of that type
    return None if meta is None or type(meta) is np.ndarray or np.isscalar(meta) else type(meta)


def block_sizes(array: Any) -> Iterator[int]:
    """Yield the bytes of the largest block of each array in the graph, where Dask knows them.

    Parameters
    ----------
    array
        Dask array.
    """
    for layer in _layers(array).values():
        facts = getattr(layer, "collection_annotations", None) or {}
        if "chunksize" in facts and facts.get("dtype") is not None:
            nbytes = math.prod(facts["chunksize"]) * np.dtype(facts["dtype"]).itemsize
            if not math.isnan(nbytes):
                yield math.ceil(nbytes)


def opened_by(array: Any) -> dict[str, Any]:
    """Return the objects that a Dask array reads from, by the name of their graph layer.

    Parameters
    ----------
    array
        Dask array.
    """
    sources = {}
    for name, layer in _layers(array).items():
        if name.startswith(_OPENED) and len(layer) == 1:
            (opened,) = layer.values()
            # Dask before 2025.1 has the object itself in the graph, later versions have a DataNode.
            sources[name] = getattr(opened, "value", opened)
    return sources


def opened_unchanged(array: Any) -> Any:
    """Return the single object whose elements a Dask array holds unchanged; None otherwise.

    Parameters
    ----------
    array
        Dask array.
    """
    opened = opened_by(array)
    changed = {name for name in _layers(array) if not name.startswith(_REBLOCKED)}
    if len(opened) != 1:
        return None
    ((name, value),) = opened.items()
    return value if changed == {name, name.removeprefix(_OPENED)} else None


def _layers(array: Any) -> dict[str, Any]:
    layers = getattr(array.__dask_graph__(), "layers", {})
    return {str(name): layer for name, layer in layers.items()}
