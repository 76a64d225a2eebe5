"""Fill values: whether a chunk holds nothing else."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from rechunker.copying.buffers import is_variable_length
from rechunker.copying.scatter import word_of

__all__ = ["holds_only"]

# Elements compared at a time, so that a comparison needs next to no memory.
_COMPARED = 1 << 16


def holds_only(chunk: npt.NDArray[Any], fill: npt.NDArray[Any]) -> bool:
    """Return whether every element of a contiguous chunk has the same bits as `fill`."""
    value = fill.astype(chunk.dtype).reshape(1)
    if is_variable_length(value.dtype):
        return bool((chunk == value).all())
    words = word_of(value.itemsize)
    flat, bits = chunk.reshape(-1).view(words), value.view(words)
    # Few chunks are empty, and most others show it in their first element.
    steps = range(0, flat.size, _COMPARED)
    return bool(flat[:1] == bits) and all((flat[i : i + _COMPARED] == bits).all() for i in steps)
