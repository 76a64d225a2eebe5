"""Problems: what a plan is looked for, checked and brought to one form."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import SupportsIndex, TypeVar

from rechunker.planning.costs import CostModel
from rechunker.planning.footprints import Footprint
from rechunker.planning.grids import Axis, Grid, axis_count, ceil_div, simplify_axis

__all__ = ["Problem", "pose"]

Given = TypeVar("Given")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Problem:
    """What has to be rechunked, and what is known about its cost.

    Parameters
    ----------
    shape
        Lengths of the axes, none of them zero.
    source, target
        Grids of the units that are read and written, cut off at the end of the array.
    itemsize
        Bytes per element.
    footprint
        Bytes that a task holds beside its box.
    cost
        Prices.
    max_hops
        The largest number of temporary copies.
    whole
        Whether no unit of the source may be read by two tasks.
    same
        Whether a decoded unit of the source is, as it is, one of the target.
    """

    shape: tuple[int, ...]
    source: Grid
    target: tuple[int, ...]
    itemsize: int
    footprint: Footprint
    cost: CostModel
    max_hops: int
    whole: bool
    same: bool

    @cached_property
    def axes(self) -> tuple[tuple[int, Axis, int], ...]:
        """Length, source and target of every axis."""
        return tuple(zip(self.shape, self.source, self.target, strict=True))

    @cached_property
    def nbytes(self) -> int:
        """Decoded bytes of the array."""
        return prod(self.shape) * self.itemsize

    @cached_property
    def target_units(self) -> int:
        """Number of units that are written."""
        return prod(map(ceil_div, self.shape, self.target))

    @cached_property
    def units(self) -> int:
        """Number of units that are read or written."""
        return prod(map(axis_count, self.shape, self.source)) + self.target_units

    @cached_property
    def cut(self) -> bool:
        """Whether some target unit reaches over the end of the array."""
        return any(n % width for n, width in zip(self.shape, self.target, strict=True))


def pose(
    shape: Sequence[int],
    source_chunks: Sequence[int | Sequence[int]],
    target_chunks: Sequence[int],
    itemsize: int,
    *,
    cost: CostModel,
    max_hops: int,
    footprint: Footprint | None = None,
) -> Problem:
    """Return what was asked for, with chunks cut off at the end of the array.

    Parameters are those of `rechunker.plan_rechunk`.

    Raises
    ------
    ValueError
        If shape, chunks or itemsize make no sense.
    """
    lengths = tuple(map(operator.index, shape))
    _check(lengths, itemsize, max_hops)
    source = _per_axis(lengths, source_chunks, "source_chunks", _axis)
    target = _per_axis(lengths, target_chunks, "target_chunks", _clipped)
    return Problem(
        shape=lengths,
        source=tuple(map(simplify_axis, lengths, source)),
        target=target,
        itemsize=operator.index(itemsize),
        footprint=footprint or _footprint(source, target, operator.index(itemsize)),
        cost=cost,
        max_hops=max_hops,
        whole=not all(isinstance(axis, int) for axis in source),
        same=all(map(_equal_units, lengths, source, target)),
    )


def _check(lengths: tuple[int, ...], itemsize: int, max_hops: int) -> None:
    if min(lengths, default=0) < 0:
        raise ValueError(f"shape must not have negative lengths, got {lengths}")
    if itemsize < 1:
        raise ValueError(f"itemsize must be at least 1 byte, got {itemsize}")
    if max_hops < 0:
        raise ValueError(f"max_hops must be 0 or more, got {max_hops}")


def _per_axis(
    lengths: tuple[int, ...],
    chunks: Sequence[Given],
    name: str,
    normalize: Callable[[int, Given], Result],
) -> tuple[Result, ...]:
    """Bring the chunks of every axis to one form; errors name the argument."""
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
        raise ValueError(f"a chunk must be at least 1, or -1 for the whole axis, not {width}")
    return width


def _clipped(n: int, chunk: SupportsIndex) -> int:
    return min(_width(n, chunk), max(n, 1))


def _axis(n: int, chunks: SupportsIndex | Sequence[int]) -> Axis:
    if not isinstance(chunks, Sequence):
        return _width(n, chunks)
    sizes = tuple(map(operator.index, chunks))
    if sum(sizes) != n or min(sizes, default=0) < min(n, 1):
        raise ValueError(f"sizes of blocks must be at least 1 and add up to {n}")
    return sizes


def _footprint(source: Grid, target: tuple[int, ...], itemsize: int) -> Footprint:
    # A stored chunk is decoded in full also where it reaches over the end of the array.
    largest = [axis if isinstance(axis, int) else max(axis, default=0) for axis in source]
    return Footprint.of_units(prod(largest) * itemsize, prod(target) * itemsize)


def _equal_units(n: int, source: Axis, target: int) -> bool:
    """Tell whether decoded source units are target units, those at the end of the axis too."""
    if isinstance(source, int):
        return source == target
    return simplify_axis(n, source) == target and n % target == 0
