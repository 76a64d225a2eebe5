"""Chunk shapes and shard shapes as users write them: sizes of axes, in elements or in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from rechunker.metadata.axis_sizes import LEFT_OUT, axis_sizes, bytes_of, in_elements
from rechunker.metadata.dimensions import Dimensions
from rechunker.planning import fit_sizes
from rechunker.sizes import format_bytes

__all__ = ["AUTO_BYTES", "normalize_chunks", "normalize_shards", "scaled_shards"]

# Bytes of a chunk, and of a shard, with "auto" sizes: few requests, and little is read in vain.
AUTO_BYTES = 100 * 10**6
AUTO_SHARD_BYTES = 500 * 10**6


def normalize_chunks(
    chunks: Any,
    shape: Sequence[int],
    dims: Dimensions | None = None,
    default: Sequence[int] | None = None,
    *,
    what: str = "target_chunks",
    itemsize: int = 1,
    limit: int = AUTO_BYTES,
) -> tuple[int, ...]:
    """Return a chunk shape as a full tuple of integers.

    Parameters
    ----------
    chunks
        Sizes of the axes: one per axis, a dict by dimension name in which ``...`` stands for all
        others, a single size for an array with one axis, or a single -1, "auto" or number of bytes
        for all axes. A size is a number of elements; -1 for the whole axis; None for `default`;
        "auto", or a number of bytes such as "100MB", for an axis that is cut so that a chunk has
        about as many bytes. A size larger than its axis is clipped.
    shape
        Shape of the array.
    dims
        Dimension names of the array; None if it has none.
    default
        Chunk sizes of the axes that `chunks` leaves out; None if there are none.
    what
        Name of `chunks` in error messages.
    itemsize
        Bytes of an element.
    limit
        Most bytes of a chunk with "auto" sizes, which never has more than `AUTO_BYTES`.

    Returns
    -------
    tuple of int
        Chunk sizes, at least 1 on every axis. With ``chunks=None``, `default` is returned
        unclipped, so that existing chunks stay as they are. A chunk with a number of bytes has no
        more, and more than half as many, unless the other axes or the shape do not allow it; the
        proportions are those of `default`, and where it grows, it consists of whole ones.

    Raises
    ------
    TypeError
        If `chunks` is not a chunk shape, or a size is none of these.
    ValueError
        If the number of sizes differs from the number of axes, a size is not allowed, a name is
        not a dimension name, or a chunk would have more than twice the bytes that it should.

    Examples
    --------
    >>> normalize_chunks((100, -1), (365, 720))
    (100, 720)
    >>> normalize_chunks({"time": 1000}, (365, 720), ("time", "lat"), default=(1, 90))
    (365, 90)
    >>> normalize_chunks(("20kB", -1), (365, 720), itemsize=4)
    (6, 720)
    """
    if chunks is None:
        if default is None:
            raise TypeError(f"{what} is None, but there are no chunks to keep; give a chunk shape")
        return tuple(int(size) for size in default)
    sizes = axis_sizes(chunks, len(shape), dims, what)
    if default is None:
        for axis, size in enumerate(sizes):
            if size is None or size is LEFT_OUT:
                where = f"{what}={chunks!r}, axis {axis}"
                raise ValueError(f"{where}: the size is missing; give one, or -1 for all of it")
    lengths = [max(1, n) for n in shape]
    own = [
        min(n, max(1, int(k))) for n, k in zip(lengths, default or [1] * len(shape), strict=True)
    ]
    fixed = [in_elements(*axis) for axis in zip(sizes, lengths, own, strict=True)]
    nbytes = bytes_of(sizes) or min(AUTO_BYTES, limit)
    kept = prod(k if size is None else size for size, k in zip(fixed, own, strict=True))
    steps = own if kept * itemsize <= nbytes else [1] * len(own)  # or whole ones are too large
    found = fit_sizes(fixed, lengths, steps, own, nbytes // itemsize)
    _check_bytes(f"{what}={chunks!r}", sizes, prod(found) * itemsize)
    return found


def normalize_shards(
    shards: Any,
    chunks: Sequence[int],
    shape: Sequence[int],
    dims: Dimensions | None = None,
    *,
    what: str = "shards",
    itemsize: int = 1,
    limit: int = AUTO_SHARD_BYTES,
) -> tuple[int, ...]:
    """Return a shard shape as a full tuple of integers; a shard holds whole chunks.

    Parameters
    ----------
    shards
        Shard sizes in any form that `normalize_chunks` accepts. -1, or a size larger than the
        axis, means all chunks of the axis; None for an axis, or leaving it out, means one chunk.
    chunks
        Shape of the inner chunks.
    shape
        Shape of the array.
    dims
        Dimension names of the array; None if it has none.
    what
        Name of `shards` in error messages.
    itemsize
        Bytes of an element.
    limit
        Most bytes of a shard with "auto" sizes, which never has more than `AUTO_SHARD_BYTES`.

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
    >>> normalize_shards("1kB", (4, 10), (10, 100), itemsize=4)
    (12, 20)
    """
    sizes = axis_sizes(shards, len(shape), dims, what)
    whole = _whole_chunks(shape, chunks)
    fixed = [in_elements(*axis) for axis in zip(sizes, whole, chunks, strict=True)]
    for axis, (size, chunk) in enumerate(zip(fixed, chunks, strict=True)):
        if size is not None and size % chunk:
            below = size - size % chunk
            raise ValueError(
                f"{what}={shards!r}, axis {axis}: the shard size {size} is not a multiple of the "
                f"chunk size {chunk}; give {below or chunk} or {below + chunk}"
            )
    nbytes = bytes_of(sizes) or min(AUTO_SHARD_BYTES, limit)
    found = fit_sizes(fixed, whole, chunks, chunks, nbytes // itemsize)
    _check_bytes(f"{what}={shards!r}", sizes, prod(found) * itemsize)
    return found


def scaled_shards(
    shards: Sequence[int], chunks: Sequence[int], shape: Sequence[int], itemsize: int, limit: int
) -> tuple[int, ...] | None:
    """Return shards of new chunks that are about as large as those of the source, and alike.

    Parameters
    ----------
    shards
        Shard shape of the source.
    chunks
        Chunk shape of the target.
    shape
        Shape of the array.
    itemsize
        Bytes of an element.
    limit
        Most bytes of a shard.

    Returns
    -------
    tuple of int or None
        Shard shape of the target. It has at most as many bytes as that of the source, which for
        most shapes means that a shard of the target needs few shards of the source. None if there
        would be but one chunk in a shard.

    Examples
    --------
    >>> scaled_shards((100, 100), (30, 5), (1000, 1000), 4, 10**6)
    (90, 110)
    >>> scaled_shards((100, 100), (1000, 10), (1000, 1000), 4, 10**6)
    """
    elements = min(prod(shards), limit // itemsize)
    whole = _whole_chunks(shape, chunks)
    found = fit_sizes([None] * len(shape), whole, chunks, shards, elements)
    return None if prod(found) == prod(chunks) else found


def _whole_chunks(shape: Sequence[int], chunks: Sequence[int]) -> list[int]:
    return [-(-max(1, n) // chunk) * chunk for n, chunk in zip(shape, chunks, strict=True)]


def _check_bytes(where: str, sizes: Sequence[Any], found: int) -> None:
    """Check that a chunk has about as many bytes as it should."""
    nbytes = bytes_of(sizes)
    if nbytes is not None and found > 2 * nbytes:
        raise ValueError(
            f"{where}: with one element along each axis that may be cut, a chunk still has "
            f"{format_bytes(found)}, more than {format_bytes(nbytes)}; give more bytes, or let "
            "other axes be cut"
        )
