"""Blocks: up to three axes of an array in pixels, with the edges between its chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from math import log

from rechunker.pictures.figures import Division

__all__ = ["MOST_AXES", "Axis", "blocks"]

# Pixels of the longest axis, and of the shortest.
_LONGEST, _SHORTEST = 120, 16
# Edges drawn along an axis, at most; of a block of an array with many axes.
_EDGES, _FEW_EDGES = 20, 10
# Axes of a block, and blocks of an array.
_AXES, _BLOCKS = 3, 2
MOST_AXES = _AXES * _BLOCKS
# Pixels between two edges.
_APART = 3
# Pixels of a chunk that is drawn by itself.
_VISIBLE = 3


@dataclass(frozen=True)
class Axis:
    """One axis of a drawing.

    Parameters
    ----------
    label
        Name and length.
    pixels
        Length in the drawing.
    edges
        Where one object ends and the next one begins, without both ends. Of many, some.
    first
        Pixels of the first object.
    inner
        Where one chunk of the first object ends and the next one begins.
    """

    label: str
    pixels: int
    edges: tuple[int, ...]
    first: int
    inner: tuple[int, ...] = ()


def blocks(division: Division, dims: Sequence[str]) -> list[list[Axis]]:
    """Return the axes of an array in blocks of at most three, the last axes in the last block.

    Parameters
    ----------
    division
        The array. Of very many axes, the last ones are returned.
    dims
        Names of its dimensions, or nothing.
    """
    longest = max(division.shape, default=1)
    few = len(division.shape) > _AXES
    axes = [
        _axis(division, number, dims[number] if dims else "", longest, few)
        for number in range(len(division.shape))
    ]
    ends = range(len(axes), 0, -_AXES)
    return [axes[max(0, end - _AXES) : end] for end in ends][:_BLOCKS][::-1]


def _axis(division: Division, number: int, dim: str, longest: int, few: bool) -> Axis:
    n, widths = division.shape[number], division.grid[number]
    pixels = _pixels(n, longest)
    most = _FEW_EDGES if few else _EDGES
    first = widths if isinstance(widths, int) else next(iter(widths), 1)
    shown = _to_pixels(_edges(n, widths, most), n, pixels)
    end = min(pixels, max(_VISIBLE, round(first / n * pixels))) if n else pixels
    inner: tuple[int, ...] = ()
    if division.inner is not None and n:
        edges = _edges(min(first, n), division.inner[number], most)
        inner = tuple(edge for edge in _to_pixels(edges, n, pixels) if edge < end)
    return Axis(f"{_short(dim)} {n:,}".strip(), pixels, shown, end, inner)


def _pixels(n: int, longest: int) -> int:
    """Return the length of an axis in the drawing: long ones are not as long as they are."""
    if n == 0 or longest == 0:
        return _SHORTEST
    return max(_SHORTEST, round(_LONGEST / (1 + log(longest / n))))


def _edges(n: int, widths: int | Sequence[int], most: int) -> Iterator[int]:
    """Yield the edges between the blocks of an axis, or, of many, each at the same interval."""
    if isinstance(widths, int):
        step = _step(-(-n // widths), most)
        yield from range(widths * step, n, widths * step)
    else:
        step = _step(len(widths), most)
        yield from islice(accumulate(widths[:-1]), step - 1, None, step)


def _step(count: int, most: int) -> int:
    return max(1, -(-count // most))


def _to_pixels(edges: Iterator[int], n: int, pixels: int) -> tuple[int, ...]:
    """Return edges in pixels, without those that are too close to the one before or an end."""
    apart = [0]
    for edge in edges:
        place = round(edge / n * pixels)
        if place - apart[-1] >= _APART and place <= pixels - _APART:
            apart.append(place)
    return tuple(apart[1:])


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"{name[:10]}.."
