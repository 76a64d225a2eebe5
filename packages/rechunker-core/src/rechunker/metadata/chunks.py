"""Reading chunk shapes as users write them: tuples, names of dimensions, -1."""

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
        One size per axis, or sizes by the names of dimensions, or one size for an array of one
        axis. -1 means the whole axis (by itself: all axes whole), None, for all or for one axis,
        `default`; a size larger than its axis is clipped.
    shape
        Shape of the array.
    dims
        Names of its dimensions, if it has any.
    default
        Chunks of the axes that `chunks` does not name.
    what
        What to call `chunks` in errors.

    Returns
    -------
    tuple of int
        At least 1 on every axis. `default` itself is returned as it is, not clipped, so that
        ``None`` leaves chunks as they are.

    Raises
    ------
    TypeError
        If something is neither a chunk shape nor a size.
    ValueError
        If there are too few or too many sizes, one is neither positive nor -1, or a name is not
        that of a dimension.

    Examples
    --------
    >>> normalize_chunks((100, -1), (365, 720))
    (100, 720)
    >>> normalize_chunks({"time": 1000}, (365, 720), ("time", "lat"), default=(1, 90))
    (365, 90)
    """
    if chunks is None:
        if default is None:
            raise TypeError(f"{what} is None, but there are no chunks to leave as they are")
        return tuple(int(size) for size in default)
    sizes = _one_per_axis(chunks, len(shape), dims, what)
    whole: Sequence[int | None] = default if default is not None else [None] * len(shape)
    return tuple(
        _one_size(size, n, usual, f"{what}={chunks!r}, axis {axis}")
        for axis, (size, n, usual) in enumerate(zip(sizes, shape, whole, strict=True))
    )


def normalize_shards(
    shards: Any,
    chunks: Sequence[int],
    shape: Sequence[int],
    dims: Dimensions | None = None,
    *,
    what: str = "shards",
) -> tuple[int, ...]:
    """Return a shard shape, whole chunks on every axis.

    Parameters
    ----------
    shards
        As the chunks of `normalize_chunks`. -1, and a size larger than the axis, mean all chunks
        of the axis.
    chunks
        Shape of the chunks in a shard.
    shape, dims
        Of the array.
    what
        What to call `shards` in errors.

    Raises
    ------
    TypeError, ValueError
        As `normalize_chunks`, or if a shard is not made of whole chunks.

    Examples
    --------
    >>> normalize_shards((-1, 20), (4, 10), (10, 100))
    (12, 20)
    """
    given = _one_per_axis(shards, len(shape), dims, what)
    whole = [-(-max(1, n) // chunk) * chunk for n, chunk in zip(shape, chunks, strict=True)]
    sizes = tuple(
        _one_size(size, n, chunk, f"{what}={shards!r}, axis {axis}")
        for axis, (size, n, chunk) in enumerate(zip(given, whole, chunks, strict=True))
    )
    for axis, (size, chunk) in enumerate(zip(sizes, chunks, strict=True)):
        if size % chunk:
            below = size - size % chunk
            raise ValueError(
                f"{what}={shards!r}, axis {axis}: a shard of {size} is not a multiple of the "
                f"target chunk of {chunk}; give {below or chunk} or {below + chunk}"
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
    """Return an integer of any type; True and False are none."""
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
            f"{what}={dict(chunks)!r} names dimensions, but those of the array have no names; "
            "give a tuple with one size per axis"
        )
    unknown = [name for name in chunks if name is None or dims.count(name) != 1]
    if unknown:
        raise ValueError(
            f"{what}={dict(chunks)!r}: {unknown[0]!r} is not the name of one dimension; "
            f"the dimensions are {dims}"
        )
    return [chunks.get(name) if name is not None else None for name in dims]


def _one_size(size: Any, n: int, default: int | None, where: str) -> int:
    if size is None:
        if default is None:
            raise ValueError(f"{where}: no size is given; give one, or -1 for the whole axis")
        size = default
    if _is_sequence(size):
        raise TypeError(f"{where}: {size!r} is more than one size; a Zarr chunk shape is regular")
    number = _integer(size)
    if number is None:
        raise TypeError(f"{where}: {size!r} is not an integer")
    if number < 1 and number != -1:
        raise ValueError(f"{where}: a size is a positive integer or -1, not {size!r}")
    return max(1, n if number == -1 else min(number, n))
