"""Target chunks of the variables of datasets, and what their present chunks are."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rechunker.metadata import normalize_chunks
from rechunker.sources.dask import regular_blocks
from rechunker.sources.element_size import with_margin
from rechunker.sources.target_chunks import ArrayChunks, Members, join

if TYPE_CHECKING:
    import xarray

__all__ = ["members_of", "stored_itemsize", "target_chunks_of"]

_TEXT_BYTES = 64  # of a text in a variable that is not read to see how long its texts are


def members_of(nodes: Mapping[str, xarray.Dataset], kind: str) -> Members:
    """Return what chunks and options of a dataset or a tree can name.

    Parameters
    ----------
    nodes
        Datasets by path; "" is the root.
    kind
        What error messages call the source.
    """
    variables = {
        join(path, str(name)): variable
        for path, dataset in nodes.items()
        for name, variable in dataset.variables.items()
    }
    whole = {join(path, n) for path, data in nodes.items() for n in _variables_in_one_chunk(data)}
    return Members(
        arrays=tuple(variables),
        groups=frozenset(nodes),
        dims_of=lambda path: tuple(map(str, variables[path].dims)),
        kind=kind,
        in_one_chunk=whole.__contains__,
    )


def target_chunks_of(variable: xarray.Variable, wanted: ArrayChunks, limit: int) -> tuple[int, ...]:
    """Return the chunks of a variable in the target.

    Parameters
    ----------
    variable
        Variable of the source.
    wanted
        Target chunks.
    limit
        Bytes of a stored object that fit in memory.

    Raises
    ------
    TypeError, ValueError
        If a size is not allowed.
    """
    current = _current_chunks(variable)
    if wanted.chunks is None:
        return current
    dims = tuple(map(str, variable.dims))
    sizes = {"itemsize": stored_itemsize(variable), "limit": limit}
    chunks, what = wanted
    return normalize_chunks(chunks, variable.shape, dims, current, what=what, **sizes)


def stored_itemsize(variable: xarray.Variable) -> int:
    """Return the bytes of an element as it is stored; an estimate for texts.

    Parameters
    ----------
    variable
        Variable of the source.
    """
    dtype = np.dtype(variable.encoding.get("dtype") or variable.dtype)
    is_text = dtype.kind in "OT" or not dtype.itemsize
    return with_margin(_TEXT_BYTES) if is_text else dtype.itemsize


def _variables_in_one_chunk(dataset: xarray.Dataset) -> Iterator[str]:
    """Yield the names of coordinates with at most one dimension, and of bounds."""
    for name, variable in dataset.variables.items():
        if name in dataset.coords and variable.ndim <= 1:
            yield str(name)
        for key in ("bounds", "climatology"):
            bounds: Hashable = variable.encoding.get(key, variable.attrs.get(key))
            if isinstance(bounds, str) and bounds in dataset.variables:
                yield bounds


def _current_chunks(variable: xarray.Variable) -> tuple[int, ...]:
    """Return the chunks of a variable: those of Dask or of its store, or else its shape."""
    chunks = _stored_chunks(variable)
    if variable.chunks is not None:
        regular = regular_blocks(variable.data)
        largest = tuple(max((int(n) for n in sizes), default=1) for sizes in variable.chunks)
        chunks = regular or chunks or largest
    return tuple(max(1, n) for n in chunks or variable.shape)


def _stored_chunks(variable: xarray.Variable) -> tuple[int, ...] | None:
    chunks: Any = variable.encoding.get("chunks") or variable.encoding.get("chunksizes")
    if not isinstance(chunks, tuple | list) or len(chunks) != variable.ndim:
        return None
    if not all(hasattr(size, "__index__") for size in chunks):
        return None  # an irregular grid has several sizes per axis
    return tuple(int(size) for size in chunks)
