"""Chunk shapes and shard shapes as users write them: tuples, dicts by dimension name, -1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from typing import Any

from rechunker.metadata.dimensions import Dimensions, dimension_names

__all__ = ["dimension_names", "normalize_chunks", "normalize_shards"]


def normalize_chunks(
    chunks: Any,
    shape: Sequence[int],
    dims: Dimensions | None = None,
    default: Sequence[int] | None = None,
    *,
    what: str = "target_chunks",
) -> tuple[int, ...]:
    """Return a chunk shape as a full tuple of integers.

    Parameters
    ----------
    chunks
        Chunk sizes in elements: one per axis, a dict by dimension name, or a single number for
        an array with one axis. -1 means the whole axis; a bare -1 means that for all axes. None,
        for one axis or for all, means `default`. A size larger than its axis is clipped.
    shape
        Shape of the array.
    dims
        Dimension names of the array; None if it has none.
    default
        Chunk sizes of the axes that `chunks` leaves out; None if there are none.
    what
        Name of `chunks` in error messages.

    Returns
    -------
    tuple of int
        Chunk sizes, at least 1 on every axis. With ``chunks=None``, `default` is returned
        unclipped, so that existing chunks stay as they are.

    Raises
    ------
    TypeError
        If `chunks` is not a chunk shape, or a size is not an integer.
    ValueError
        If the number of sizes differs from the number of axes, a size is neither positive nor
        -1, or a name is not a dimension name.

    Examples
    --------
    >>> normalize_chunks((100, -1), (365, 720))
    (100, 720)
    >>> normalize_chunks({"time": 1000}, (365, 720), ("time", "lat"), default=(1, 90))
    (365, 90)
    """
    if chunks is None:
        if default is None:
            raise TypeError(f"{what} is None, but there are no chunks to keep; give a chunk shape")
        return tuple(int(size) for size in default)
    sizes = _one_per_axis(chunks, len(shape), dims, what)
    defaults: Sequence[int | None] = default if default is not None else [None] * len(shape)
    return tuple(
        _one_size(size, n, own, f"{what}={chunks!r}, axis {axis}")
        for axis, (size, n, own) in enumerate(zip(sizes, shape, defaults, strict=True))
    )


def normalize_shards(
    shards: Any,
    chunks: Sequence[int],
    shape: Sequence[int],
    dims: Dimensions | None = None,
    *,
    what: str = "shards",
) -> tuple[int, ...]:
    """Return a shard shape as a full tuple of integers; a shard holds whole chunks.

    Parameters
    ----------
    shards
        Shard sizes in elements, in any form that `normalize_chunks` accepts. -1, or a size
        larger than the axis, means all chunks of the axis; None for an axis means one chunk.
    chunks
        Shape of the inner chunks.
    shape
        Shape of the array.
    dims
        Dimension names of the array; None if it has none.
    what
        Name of `shards` in error messages.

    Raises
    ------
    TypeError
        As in `normalize_chunks`.
    ValueError
        As in `normalize_chunks`, or if a shard size is not a multiple of the chunk size.

    Examples
    --------
    >>> normalize_shards((-1, 20), (4, 10), (10, 100))
    (12, 20)
    """
    requested = _one_per_axis(shards, len(shape), dims, what)
    whole = [-(-max(1, n) // chunk) * chunk for n, chunk in zip(shape, chunks, strict=True)]
    sizes = tuple(
        _one_size(size, n, chunk, f"{what}={shards!r}, axis {axis}")
        for axis, (size, n, chunk) in enumerate(zip(requested, whole, chunks, strict=True))
    )
    for axis, (size, chunk) in enumerate(zip(sizes, chunks, strict=True)):
        if size % chunk:
            below = size - size % chunk
            raise ValueError(
                f"{what}={shards!r}, axis {axis}: the shard size {size} is not a multiple of the "
                f"chunk size {chunk}; give {below or chunk} or {below + chunk}"
            )
    return sizes


def _one_per_axis(chunks: Any, ndim: int, dims: Dimensions | None, what: str) -> list[Any]:
    if isinstance(chunks, Mapping):
        return _by_name(chunks, ndim, dims, what)
    if not _is_sequence(chunks):
        size = _integer(chunks)
        if size is None or not (ndim == 1 or size == -1):
            raise TypeError(
                f"{what}={chunks!r} is not a chunk shape; give a tuple with one size for each of "
                f"the {ndim} axes, or a dict by dimension name"
            )
        return [size] * ndim
    if len(chunks) != ndim:
        raise ValueError(
            f"{what}={chunks!r} has {len(chunks)} sizes, but the array has {ndim} axes; "
            "give one size per axis (-1 for the whole axis)"
        )
    return list(chunks)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _integer(value: Any) -> int | None:
    """Return `value` as an int; None if it is not an integer (or is a bool)."""
    if isinstance(value, bool):
        return None
    try:
        return index(value)
    except TypeError:
        return None


def _by_name(chunks: Mapping[Any, Any], ndim: int, dims: Dimensions | None, what: str) -> list[Any]:
    if not chunks:
        return [None] * ndim
    if dims is None:
        raise ValueError(
            f"{what}={dict(chunks)!r} names dimensions, but the array has no dimension names; "
            "give a tuple with one size per axis"
        )
    unknown = [name for name in chunks if name is None or dims.count(name) != 1]
    if unknown:
        raise ValueError(
            f"{what}={dict(chunks)!r}: {unknown[0]!r} must name exactly one dimension; "
            f"the dimensions are {dims}"
        )
    return [chunks.get(name) if name is not None else None for name in dims]


def _one_size(size: Any, n: int, default: int | None, where: str) -> int:
    if size is None:
        if default is None:
            raise ValueError(f"{where}: the size is missing; give one, or -1 for the whole axis")
        size = default
    if _is_sequence(size):
        raise TypeError(f"{where}: give one size per axis, got {size!r}; Zarr chunks are regular")
    number = _integer(size)
    if number is None:
        raise TypeError(f"{where}: the size must be an integer, got {size!r}")
    if number < 1 and number != -1:
        raise ValueError(f"{where}: the size must be a positive integer or -1, got {size!r}")
    return max(1, n if number == -1 else min(number, n))
