"""Suggestions: chunks that suit the reads that are expected, and what it takes to get there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

from rechunker.planning.costs import OBJECT_STORE, CostModel
from rechunker.planning.grids import ceil_div
from rechunker.planning.plan import RechunkPlan
from rechunker.planning.planner import plan_rechunk
from rechunker.sizes import format_bytes, parse_bytes

__all__ = ["ChunkSuggestion", "suggest_chunks"]

Region: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, repr=False)
class ChunkSuggestion:
    """Chunks for an array, and what its reads take with them.

    Parameters
    ----------
    chunks
        Shape of a chunk.
    nbytes
        Bytes of a chunk, decoded.
    number
        Number of chunks of the array.
    touched
        For each kind of read, the number of chunks that it needs, on average over its positions.
    seconds
        For each kind of read, the time that it takes if one request follows the other, from the
        prices of requests and bytes.
    plan
        The cheapest plan that makes these chunks of those of the source; None if these were not
        given.
    """

    chunks: tuple[int, ...]
    nbytes: int
    number: int
    touched: tuple[float, ...]
    seconds: tuple[float, ...]
    plan: RechunkPlan | None = None

    def __repr__(self) -> str:
        reads = ", ".join(f"{count:,.3g}" for count in self.touched)
        text = f"{self.chunks}: {self.number:,} of {format_bytes(self.nbytes)}"
        text += f"; chunks per read: {reads}"
        if self.plan is None:
            return text
        hops = f"{self.plan.hops} hop" + ("" if self.plan.hops == 1 else "s")
        return f"{text}; {hops}, source read {self.plan.read_amplification:.1f} times"


def suggest_chunks(
    shape: Sequence[int],
    itemsize: int,
    *,
    access: Sequence[int] | Sequence[Sequence[int]],
    nbytes: int | str = "100MB",
    source_chunks: Sequence[int] | None = None,
    max_mem: int | str = "1GB",
    cost: CostModel = OBJECT_STORE,
) -> tuple[ChunkSuggestion, ...]:
    """Suggest chunks for an array that is read in certain ways.

    The first suggestion suits all kinds of reads: one read of each takes the least time in all.
    Where there are several kinds, one suggestion for each follows.

    Parameters
    ----------
    shape
        Shape of the array in elements.
    itemsize
        Bytes of one element.
    access
        Shape of a usual read, -1 for a whole axis: ``(-1, 1, 1)`` for time series. Or several of
        them.
    nbytes
        Largest number of bytes of a chunk, decoded.
    source_chunks
        Chunks of the source. If they are given, the suggestions have a plan.
    max_mem
        Memory limit per task of the plans, in bytes.
    cost
        Prices of requests and bytes; by default those of an object store.

    Returns
    -------
    tuple of ChunkSuggestion
        The best first; no two have the same chunks.

    Raises
    ------
    ValueError
        If a shape or a size is invalid.
    MemoryLimitError
        If a plan does not fit in `max_mem`.

    Notes
    -----
    A read of ``r`` elements of an axis, at any position, meets ``(r - 1) / c + 1`` chunks of ``c``
    elements on average (Sarawagi and Stonebraker, Efficient organization of large multidimensional
    arrays, ICDE 1994). That is convex in the logarithm of ``c``: one axis after another is doubled,
    each time the one along which that saves most.

    Examples
    --------
    >>> maps, series = (1, -1, -1), (-1, 1, 1)
    >>> for one in suggest_chunks((8760, 721, 1440), 4, access=[maps, series], nbytes="50MB"):
    ...     print(one)
    (381, 121, 240): 828 of 44.26 MB; chunks per read: 36, 23
    (12, 721, 1440): 730 of 49.84 MB; chunks per read: 1, 730
    (8760, 32, 44): 759 of 49.34 MB; chunks per read: 759, 1
    """
    lengths = _checked_shape(shape)
    limit = parse_bytes(nbytes)
    if itemsize < 1 or limit < 1:
        raise ValueError(f"itemsize and nbytes must be 1 or more, got {itemsize} and {nbytes}")
    reads = _regions(access, lengths)
    kinds = [reads, *([[read] for read in reads] if len(reads) > 1 else [])]
    found = dict.fromkeys(_best(lengths, max(1, limit // itemsize), kind) for kind in kinds)
    suggestions = []
    for chunks in found:
        touched = tuple(_touched(lengths, chunks, read) for read in reads)
        size = prod(chunks) * itemsize
        plan = None
        if source_chunks is not None:
            plan = plan_rechunk(lengths, tuple(source_chunks), chunks, itemsize, max_mem, cost=cost)
        suggestions.append(
            ChunkSuggestion(
                chunks,
                size,
                prod(map(ceil_div, lengths, chunks)),
                touched,
                tuple(count * (cost.request + size * cost.byte) for count in touched),
                plan,
            )
        )
    return tuple(suggestions)


def _checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    lengths = tuple(map(int, shape))
    if any(n < 1 for n in lengths):
        raise ValueError(f"every axis must have 1 element or more, got the shape {lengths}")
    return lengths


def _regions(access: Sequence[Any], lengths: tuple[int, ...]) -> list[Region]:
    """Return the shapes of reads, with whole axes in elements."""
    several = any(not isinstance(one, int) for one in access)
    regions = []
    for read in access if several else [access]:
        sizes = tuple(read) if isinstance(read, Sequence) else ()
        if len(sizes) != len(lengths) or not all(
            isinstance(size, int) and (size >= 1 or size == -1) for size in sizes
        ):
            raise ValueError(
                f"access must be a shape of {len(lengths)} sizes of 1 or more, or -1, or several "
                f"such shapes, got {access!r}"
            )
        axes = zip(sizes, lengths, strict=True)
        regions.append(tuple(n if size == -1 else min(size, n) for size, n in axes))
    return regions


def _touched(lengths: Region, chunks: Region, read: Region) -> float:
    """Return the mean number of chunks that a read needs."""
    axes = zip(lengths, chunks, read, strict=True)
    return prod(min((r - 1) / c + 1, ceil_div(n, c)) for n, c, r in axes)


def _saved(lengths: Region, chunks: Sequence[int], axis: int, read: Region) -> float:
    """Return the chunks that a read touches, times what wider ones along an axis save of them."""
    # A read of a whole axis has a single position.
    axes = zip(lengths, chunks, read, strict=True)
    touched = prod(n / c if r == n else (r - 1) / c + 1 for n, c, r in axes)
    n, c, r = lengths[axis], chunks[axis], read[axis]
    return touched if r == n else touched * (r - 1) / (r - 1 + c)


def _best(lengths: Region, elements: int, reads: Sequence[Region]) -> Region:
    """Return chunks of at most a number of elements with which reads touch the fewest."""
    chunks = [1] * len(lengths)
    while True:
        grown = []
        for axis, n in enumerate(lengths):
            size = min(n, 2 * chunks[axis], elements // (prod(chunks) // chunks[axis]))
            if size > chunks[axis]:
                gain = sum(_saved(lengths, chunks, axis, read) for read in reads)
                grown.append((gain, -chunks[axis], axis, size))
        if not grown:
            break
        *_, axis, size = max(grown)
        chunks[axis] = size
    # As many chunks as before, all of about the same size.
    return tuple(ceil_div(n, ceil_div(n, size)) for n, size in zip(lengths, chunks, strict=True))
