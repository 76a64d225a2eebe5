"""Problems: the arguments of `plan_rechunk()`, checked and normalized."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, prod
from typing import SupportsIndex, TypeVar

from rechunker.planning.costs import CostModel
from rechunker.planning.footprints import Footprint
from rechunker.planning.grids import Axis, Grid, axis_count, ceil_div, simplify_axis

__all__ = ["Problem", "Shards", "make_problem"]

Chunks = TypeVar("Chunks")
Normalized = TypeVar("Normalized")


@dataclass(frozen=True)
class Shards:
    """Shards of a source whose chunks are read one by one, as byte ranges of the shards.

    Parameters
    ----------
    grid
        Shape of a shard.
    index_bytes
        Bytes of the index of a shard. A task reads that of each shard that its box meets.
    at_once
        Most bytes that one request reads, unless a single chunk takes more.
    requests
        Most requests that the chunks of a shard take: those that lie close to each other are read
        at once.
    """

    grid: tuple[int, ...]
    index_bytes: int
    at_once: int
    requests: int


@dataclass(frozen=True)
class Problem:
    """An array to be rechunked, with its costs.

    Parameters
    ----------
    shape
        Shape of the array.
    source, target
        Grids of the source units and the target units, clipped to the length of each axis.
    itemsize
        Bytes per element.
    footprint
        Memory that one task needs besides its box.
    cost
        Cost model.
    max_hops
        Largest number of copies through temporary objects.
    read_once
        Whether each source unit must be read by one task only.
    same_units
        Whether decoded source units are equal to target units.
    max_amplification
        Largest read amplification of the source.
    max_work
        Most seconds that the plan may take if one worker does it all.
    shards
        Shards that the source units lie in; None if each of these is an object of its own.
    """

    shape: tuple[int, ...]
    source: Grid
    target: tuple[int, ...]
    itemsize: int
    footprint: Footprint
    cost: CostModel
    max_hops: int
    read_once: bool
    same_units: bool
    max_amplification: float = inf
    max_work: float = inf
    shards: Shards | None = None

    @cached_property
    def axes(self) -> tuple[tuple[int, Axis, int, Axis], ...]:
        """Length, source units, target units and source objects of each axis."""
        return tuple(zip(self.shape, self.source, self.target, self.objects, strict=True))

    @cached_property
    def objects(self) -> Grid:
        """Grid of the source objects: of the shards, or else of the units."""
        return self.source if self.shards is None else self.shards.grid

    @cached_property
    def nbytes(self) -> int:
        """Decoded bytes of the array."""
        return prod(self.shape) * self.itemsize

    @cached_property
    def target_units(self) -> int:
        """Number of target units."""
        return prod(map(ceil_div, self.shape, self.target))

    @cached_property
    def total_objects(self) -> int:
        """Number of source objects plus target units."""
        return prod(map(axis_count, self.shape, self.objects)) + self.target_units

    @cached_property
    def partial_edges(self) -> bool:
        """Whether some target units reach beyond the end of the array."""
        return any(n % width for n, width in zip(self.shape, self.target, strict=True))


def make_problem(
    shape: Sequence[int],
    source_chunks: Sequence[int | Sequence[int]],
    target_chunks: Sequence[int],
    itemsize: int,
    *,
    cost: CostModel,
    max_hops: int,
    max_amplification: float = inf,
    footprint: Footprint | None = None,
    shards: Shards | None = None,
) -> Problem:
    """Check the arguments of `rechunker.plan_rechunk` and return them as a problem.

    Raises
    ------
    ValueError
        If a length in `shape` or `max_hops` is negative, `itemsize` is less than 1, or chunks do
        not match the shape.
    """
    lengths = tuple(map(operator.index, shape))
    _check(lengths, itemsize, max_hops)
    source = _normalize_axes(lengths, source_chunks, "source_chunks", _source_axis)
    target = _normalize_axes(lengths, target_chunks, "target_chunks", _target_width)
    return Problem(
        shape=lengths,
        source=tuple(map(simplify_axis, lengths, source)),
        target=target,
        itemsize=operator.index(itemsize),
        footprint=footprint or _footprint(source, target, operator.index(itemsize)),
        cost=cost,
        max_hops=max_hops,
        max_amplification=max_amplification,
        read_once=not all(isinstance(axis, int) for axis in source),
        same_units=all(map(_equal_units, lengths, source, target)),
        shards=None if shards is None else _clipped(lengths, source, shards),
    )


def _clipped(lengths: tuple[int, ...], source: Grid, shards: Shards) -> Shards:
    """Check the grid of shards, and clip it to the length of each axis."""
    grid = _normalize_axes(lengths, shards.grid, "shards", _target_width)
    pairs = zip(shards.grid, source, strict=True)
    if not all(isinstance(chunk, int) and shard % chunk == 0 for shard, chunk in pairs):
        raise ValueError(f"shards {shards.grid} must consist of whole chunks, got {source}")
    return replace(shards, grid=grid)


def _check(lengths: tuple[int, ...], itemsize: int, max_hops: int) -> None:
    if min(lengths, default=0) < 0:
        raise ValueError(f"lengths in shape must be 0 or more, got {lengths}")
    if itemsize < 1:
        raise ValueError(f"itemsize must be 1 byte or more, got {itemsize}")
    if max_hops < 0:
        raise ValueError(f"max_hops must be 0 or more, got {max_hops}")


def _normalize_axes(
    lengths: tuple[int, ...],
    chunks: Sequence[Chunks],
    name: str,
    normalize: Callable[[int, Chunks], Normalized],
) -> tuple[Normalized, ...]:
    """Normalize the chunks of each axis; errors start with `name`, the name of the argument."""
    if len(chunks) != len(lengths):
        raise ValueError(
            f"{name} must have one entry per axis: {len(lengths)} for shape {lengths}, "
            f"got {reprlib.repr(chunks)}"
        )
    try:
        return tuple(map(normalize, lengths, chunks))
    except ValueError as error:
        raise ValueError(f"{name} {reprlib.repr(chunks)} for shape {lengths}: {error}") from None


def _width(n: int, chunk: SupportsIndex) -> int:
    width = operator.index(chunk)
    if width == -1:
        return max(n, 1)
    if width < 1:
        raise ValueError(f"a chunk size must be 1 or more, or -1 for the whole axis, got {width}")
    return width


def _target_width(n: int, chunk: SupportsIndex) -> int:
    return min(_width(n, chunk), max(n, 1))


def _source_axis(n: int, chunks: SupportsIndex | Sequence[int]) -> Axis:
    if not isinstance(chunks, Sequence):
        return _width(n, chunks)
    sizes = tuple(map(operator.index, chunks))
    if sum(sizes) != n or min(sizes, default=0) < min(n, 1):
        raise ValueError(
            f"the chunk sizes along an axis must each be 1 or more and add up to {n}, "
            f"got {reprlib.repr(sizes)}"
        )
    return sizes


def _footprint(source: Grid, target: tuple[int, ...], itemsize: int) -> Footprint:
    # A Zarr chunk is decoded in full even if it reaches beyond the end of the array.
    largest = [axis if isinstance(axis, int) else max(axis, default=0) for axis in source]
    return Footprint.of_units(prod(largest) * itemsize, prod(target) * itemsize)


def _equal_units(n: int, source: Axis, target: int) -> bool:
    """Return whether source units equal target units along an axis, also at its end."""
    if isinstance(source, int):
        return source == target
    return simplify_axis(n, source) == target and n % target == 0
