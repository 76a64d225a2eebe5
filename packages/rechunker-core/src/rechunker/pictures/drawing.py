"""Drawings: an array and its chunks as SVG, whatever its number of axes and chunks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from rechunker.pictures.blocks import Axis, blocks
from rechunker.pictures.escaping import escaped
from rechunker.pictures.figures import Division
from rechunker.pictures.wording import counted

__all__ = ["drawing"]

Point: TypeAlias = tuple[float, float]

# Pixels of a character, between blocks, around the drawing, and the height of a bar.
_CHARACTER, _GAP, _MARGIN, _BAR = 6, 22, 4, 26
# Pixels to the right and up for each pixel of an axis that goes to the back.
_RIGHT, _UP = 0.42, 0.42


@dataclass
class _Canvas:
    """Shapes that are drawn one over the other, and how much room they take."""

    is_empty: bool = False
    areas: list[str] = field(default_factory=list)
    first: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    outlines: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    width: float = 0
    height: float = 0

    def label(self, at: Point, text: str, anchor: str) -> None:
        x, y = at
        place = f'x="{_number(x)}" y="{_number(y)}"'
        self.labels.append(f'<text {place} text-anchor="{anchor}">{escaped(text)}</text>')
        width = _width(text)
        right = x + (width if anchor == "start" else width / 2 if anchor == "middle" else 0)
        self.reach(right, y + 3)

    def reach(self, x: float, y: float) -> None:
        self.width, self.height = max(self.width, x), max(self.height, y)

    def svg(self, title: str) -> str:
        width, height = round(self.width + _MARGIN), round(self.height + _MARGIN)
        layers = (
            ("area", self.areas),
            ("first", self.first),
            ("inner", self.inner),
            ("line", self.lines),
            ("none" if self.is_empty else "edge", self.outlines),
        )
        paths = "".join(
            f'<path class="rk-{name}" d="{"".join(parts)}"/>' for name, parts in layers if parts
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="rk-svg" role="img" width="{width}" '
            f'height="{height}" viewBox="0 0 {width} {height}"><title>{escaped(title)}</title>'
            f"{paths}{''.join(self.labels)}</svg>"
        )


@dataclass(frozen=True)
class _Face:
    """A parallelogram: a corner, and for both of its axes the way of a pixel along it."""

    corner: Point
    a: tuple[Axis, Point]
    b: tuple[Axis, Point]

    def at(self, along_a: float, along_b: float) -> Point:
        (x, y), (ax, ay), (bx, by) = self.corner, self.a[1], self.b[1]
        return x + along_a * ax + along_b * bx, y + along_a * ay + along_b * by

    def part(self, to_a: float, to_b: float) -> str:
        corners = ((0, 0), (to_a, 0), (to_a, to_b), (0, to_b))
        return f"{_line(self.at(*corner) for corner in corners)}z"

    def draw(self, on: _Canvas) -> None:
        (a, _), (b, _) = self.a, self.b
        on.areas.append(self.part(a.pixels, b.pixels))
        on.outlines.append(self.part(a.pixels, b.pixels))
        on.lines += [_line((self.at(x, 0), self.at(x, b.pixels))) for x in a.edges]
        on.lines += [_line((self.at(0, y), self.at(a.pixels, y))) for y in b.edges]

    def draw_first(self, on: _Canvas) -> None:
        """Draw the object that lies at the corner of the face, with its chunks."""
        (a, _), (b, _) = self.a, self.b
        on.first += [] if on.is_empty else [self.part(a.first, b.first)]
        on.inner += [_line((self.at(x, 0), self.at(x, b.first))) for x in a.inner]
        on.inner += [_line((self.at(0, y), self.at(a.first, y))) for y in b.inner]


def drawing(division: Division, dims: Sequence[str] = ()) -> str:
    """Return an SVG of the stored objects of an array, the first of which stands out.

    The longer of two axes is drawn longer, but not in proportion. Of very many objects, some edges
    are drawn, and of more than six axes the last six.

    Parameters
    ----------
    division
        The array.
    dims
        Names of its dimensions, or nothing.
    """
    canvas, left = _Canvas(is_empty=division.count == 0), float(_MARGIN)
    for axes in blocks(division, dims) or [[]]:
        left = _draw_block(canvas, axes, left) + _GAP
    number = counted(division.count, division.kind)
    return canvas.svg(f"{division.place}: {number} {division.text} of {division.shape}")


def _draw_block(canvas: _Canvas, axes: Sequence[Axis], left: float) -> float:
    """Draw up to three axes, and return how far to the right they reach."""
    before = canvas.width
    canvas.width = 0
    x = axes[-1] if axes else Axis("", _BAR, (), _BAR)
    y = axes[-2] if len(axes) > 1 else Axis("", _BAR, (), _BAR)
    right, down = (1.0, 0.0), (0.0, 1.0)
    back = (_RIGHT, -_UP)
    z = axes[0] if len(axes) > 2 else None
    deep = (z.pixels * _RIGHT, z.pixels * _UP) if z else (0.0, 0.0)
    # Labels of the axes that go down and to the back stand to the left of them.
    room = max(_width(y.label), _width(z.label) - deep[0] / 2 if z else 0) + 4 if y.label else 0
    corner = (left + room, deep[1] + _MARGIN)
    front = _Face(corner, (x, right), (y, down))
    front.draw(canvas)
    front.draw_first(canvas)
    canvas.reach(*front.at(x.pixels + deep[0], y.pixels))
    if z is not None:
        top = _Face(corner, (x, right), (z, back))
        side = _Face(front.at(x.pixels, 0), (z, back), (y, down))
        top.draw(canvas)
        top.draw_first(canvas)
        side.draw(canvas)
        if x.first == x.pixels:
            side.draw_first(canvas)
        canvas.label((corner[0] + deep[0] / 2 - 4, corner[1] - deep[1] / 2 - 1), z.label, "end")
    if y.label:
        canvas.label((corner[0] - 4, corner[1] + y.pixels / 2 + 3), y.label, "end")
    if x.label:
        below = corner[1] + y.pixels + 12
        middle = max(corner[0] + x.pixels / 2, left + _width(x.label) / 2)
        canvas.label((middle, below), x.label, "middle")
    reached, canvas.width = canvas.width, max(before, canvas.width)
    return reached


def _line(points: Iterable[Point]) -> str:
    """Return the path through some points, in as few characters as they take."""
    (x, y), *others = [(_number(x), _number(y)) for x, y in points]
    path = f"M{x} {y}"
    for next_x, next_y in others:
        path += f"V{next_y}" if next_x == x else f"H{next_x}" if next_y == y else ""
        path += f"L{next_x} {next_y}" if next_x != x and next_y != y else ""
        x, y = next_x, next_y
    return path


def _number(value: float) -> str:
    return f"{round(value, 1):g}"


def _width(text: str) -> float:
    return len(text) * _CHARACTER
