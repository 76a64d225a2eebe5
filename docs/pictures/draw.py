"""Draw the pictures of algorithm.md from plans, or check that they are as they would be drawn.

Run `python docs/pictures/draw.py` in an environment with rechunker-core, with `--check` to compare.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from pathlib import Path
from typing import Any

from rechunker import RechunkPlan, plan_rechunk
from rechunker.planning import CostModel

FOLDER = Path(__file__).resolve().parent
CELL = 12  # pixels of an element
GAP = 72  # pixels between two grids
TOP = 44  # pixels above the grids
LEFT = 12
BELOW = 46  # pixels for notes
# Colours that can be read on white and on black; text and lines follow the colour scheme.
STYLE = """\
:root { --ink: #333; --line: #8a8a8a; }
@media (prefers-color-scheme: dark) { :root { --ink: #ddd; --line: #8f959e; } }
text { fill: var(--ink); font: 12px sans-serif; text-anchor: middle; }
.name { font-weight: bold; }
.element { fill: none; stroke: var(--line); stroke-width: .3; }
.chunk { fill: none; stroke: var(--line); stroke-width: 1.2; }
.box { fill: none; stroke: var(--ink); stroke-width: 2; }
.first { fill: #26968a; fill-opacity: .55; }
.second { fill: #c2803c; fill-opacity: .55; }
.both { fill: #8063c5; fill-opacity: .85; }
.arrow { fill: none; stroke: var(--ink); stroke-width: 1.5; marker-end: url(#head); }
.head { fill: var(--ink); }
"""

Region = tuple[range, range]


@dataclass(frozen=True)
class Grid:
    """One drawing of the array: its chunks, boxes and what is filled with colour.

    Parameters
    ----------
    name
        Words above.
    note
        Words below.
    chunks, boxes
        Widths per axis, in elements; None for none.
    filled
        Regions of the array, and the class of each.
    """

    name: str
    note: str
    chunks: tuple[int, int] | None = None
    boxes: tuple[int, int] | None = None
    filled: Sequence[tuple[str, Region]] = ()


def tiles(shape: tuple[int, int], widths: tuple[int, int]) -> Iterator[Region]:
    """Return the parts into which a grid divides an array, in order."""
    counts = (range(ceil(n / width)) for n, width in zip(shape, widths, strict=True))
    for index in product(*counts):
        rows, columns = (
            range(i * width, min((i + 1) * width, n))
            for i, width, n in zip(index, widths, shape, strict=True)
        )
        yield rows, columns


def overlap(one: Region, other: Region) -> Region:
    """Return what two regions have in common."""
    rows, columns = (
        range(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one, other, strict=True)
    )
    return rows, columns


def rectangle(region: Region, left: int, kind: str, inset: float = 0) -> str:
    """Return the SVG of a region."""
    rows, columns = region
    x, y = left + columns.start * CELL + inset, TOP + rows.start * CELL + inset
    width, height = len(columns) * CELL - 2 * inset, len(rows) * CELL - 2 * inset
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>'


def lines(shape: tuple[int, int], widths: tuple[int, int], left: int, kind: str) -> str:
    """Return the SVG of all lines of a grid."""
    rows, columns = ([*range(0, n, width), n] for n, width in zip(shape, widths, strict=True))
    height, width = (n * CELL for n in shape)
    across = [f"M{left} {TOP + row * CELL}h{width}" for row in rows]
    down = [f"M{left + column * CELL} {TOP}v{height}" for column in columns]
    return f'<path class="{kind}" d="{"".join([*across, *down])}"/>'


def drawn(grid: Grid, shape: tuple[int, int], left: int) -> Iterator[str]:
    """Return the SVG of one drawing of the array."""
    middle = left + shape[1] * CELL / 2
    yield f'<text class="name" x="{middle:g}" y="{TOP - 16}">{grid.name}</text>'
    yield from (rectangle(region, left, kind) for kind, region in grid.filled)
    yield lines(shape, (1, 1), left, "element")
    if grid.chunks:
        yield lines(shape, grid.chunks, left, "chunk")
    if grid.boxes:
        yield lines(shape, grid.boxes, left, "box")
    for number, line in enumerate(grid.note.split("\n")):
        y = TOP + shape[0] * CELL + 18 + 16 * number
        yield f'<text x="{middle:g}" y="{y}">{line}</text>'


def arrows(shape: tuple[int, int], words: Sequence[str]) -> Iterator[str]:
    """Return the SVG of the arrows between drawings, with a word above each."""
    for number, word in enumerate(words):
        if not word:
            continue
        start = LEFT + (number + 1) * shape[1] * CELL + number * GAP + 8
        y = TOP + shape[0] * CELL / 2
        yield f'<path class="arrow" d="M {start} {y:g} h {GAP - 22}"/>'
        yield f'<text x="{start + (GAP - 16) / 2:g}" y="{y - 8:g}">{word}</text>'


def picture(title: str, shape: tuple[int, int], grids: Sequence[Grid], words: Sequence[str]) -> str:
    """Return an SVG file with several drawings of an array side by side."""
    width = 2 * LEFT + len(grids) * shape[1] * CELL + (len(grids) - 1) * GAP
    height = TOP + shape[0] * CELL + BELOW
    parts: Iterable[str] = [
        part
        for number, grid in enumerate(grids)
        for part in drawn(grid, shape, LEFT + number * (shape[1] * CELL + GAP))
    ]
    head = '<path class="head" d="M 0 0 L 8 4 L 0 8 z"/>'
    marker = (
        '<marker id="head" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto" '
        f'markerUnits="userSpaceOnUse">{head}</marker>'
    )
    content = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        f"<title>{title}</title>",
        f"<style>\n{STYLE}</style>",
        f"<defs>{marker}</defs>",
        *parts,
        *arrows(shape, words),
        "</svg>",
    ]
    return "\n".join(content) + "\n"


SHAPE = (16, 16)
ROWS, COLUMNS = (1, 16), (16, 1)
ITEM = 100_000  # bytes of an element, so that bytes cost more than requests


def planned(max_mem: int, **options: Any) -> RechunkPlan:
    """Plan to turn rows into columns, with memory for a number of elements."""
    return plan_rechunk(SHAPE, ROWS, COLUMNS, ITEM, max_mem * ITEM, **options)


def grids_of(plan: RechunkPlan) -> list[tuple[int, int]]:
    """Return the widths of the boxes of each stage."""
    widths = []
    for stage in plan.stages:
        rows, columns = stage.grid
        assert isinstance(rows, int)
        assert isinstance(columns, int)
        widths.append((rows, columns))
    return widths


def box(widths: tuple[int, int], number: int) -> Region:
    """Return one box of a grid."""
    return list(tiles(SHAPE, widths))[number]


def problem() -> str:
    """Draw why a copy, chunk by chunk, reads everything for each chunk of the target."""
    column = box(COLUMNS, 5)
    whole = box(SHAPE, 0)
    return picture(
        "A target chunk overlaps all source chunks",
        SHAPE,
        [
            Grid("source chunks", "16 rows, all of them read", ROWS, filled=[("first", whole)]),
            Grid("target chunks", "for one column", COLUMNS, filled=[("second", column)]),
        ],
        ["copy"],
    )


def direct() -> str:
    """Draw a plan without hops."""
    plan = planned(100, temp=False)
    (widths,) = grids_of(plan)
    one, whole = box(widths, 1), box(SHAPE, 0)
    reads = f"each task reads all of them:\nread amplification {plan.read_amplification:g}"
    writes = f"each written once,\nby {plan.stages[0].tasks} tasks with a box each"
    return picture(
        "A plan without hops",
        SHAPE,
        [
            Grid("source chunks", reads, ROWS, None, [("first", whole), ("both", one)]),
            Grid("target chunks and boxes", writes, COLUMNS, widths, [("both", one)]),
        ],
        ["a task"],
    )


def one_hop() -> str:
    """Draw a plan with one hop: what a task of each stage reads and writes."""
    plan = planned(100)
    first, second = grids_of(plan)
    one, other = box(first, 1), box(second, 2)
    write, read = plan.stages
    reads = f"{write.tasks} tasks, each reads {first[0]} chunks\nand writes a temp object"
    between = f"{read.gets} cells; the violet one goes\nfrom one task to the other"
    cells = f"{read.tasks} tasks, each reads {read.gets // read.tasks} cells"
    writes = f"{cells}\nand writes {second[1]} chunks"
    filled = [("first", one), ("second", other), ("both", overlap(one, other))]
    return picture(
        "A plan with one hop",
        SHAPE,
        [
            Grid("source chunks, boxes", reads, ROWS, first, [("first", one)]),
            Grid("cells of temp objects", between, (first[0], second[1]), None, filled),
            Grid("target chunks, boxes", writes, COLUMNS, second, [("second", other)]),
        ],
        ["stage 1", "stage 2"],
    )


def two_hops() -> str:
    """Draw the boxes of a plan with two hops, where memory is short and requests are slow."""
    plan = planned(40, cost=CostModel(request=0.01, byte=1e-9, task=0))
    grids = []
    for number, (widths, stage) in enumerate(zip(grids_of(plan), plan.stages, strict=True), 1):
        filled = [("both", box(widths, 5))]
        note = f"boxes of {widths[0]} × {widths[1]} elements\n{stage.gets} reads"
        grids.append(Grid(f"stage {number}", note, None, widths, filled))
    return picture("The boxes of a plan with two hops", SHAPE, grids, ["hop", "hop"])


def memory() -> str:
    """Draw the cells of plans with little and with more memory."""
    grids = []
    for elements in (40, 80, 100):
        plan = planned(elements)
        first, second = grids_of(plan)
        one, other = box(first, 1), box(second, 1)
        filled = [("first", one), ("second", other), ("both", overlap(one, other))]
        note = (
            f"boxes {first[0]}×{first[1]} and {second[0]}×{second[1]}\n{plan.stages[1].gets} cells"
        )
        cells = (first[0], second[1])
        grids.append(Grid(f"memory for {elements} elements", note, cells, None, filled))
    return picture("More memory makes larger cells", SHAPE, grids, ["", ""])


PICTURES = {
    "problem.svg": problem,
    "direct.svg": direct,
    "one-hop.svg": one_hop,
    "two-hops.svg": two_hops,
    "memory.svg": memory,
}


def main(arguments: Sequence[str]) -> int:
    """Write the pictures; with `--check`, say which are not as they would be drawn."""
    texts = {FOLDER / name: draw() for name, draw in PICTURES.items()}
    if "--check" in arguments:
        different = [path.name for path, text in texts.items() if path.read_text("utf-8") != text]
        if different:
            print(f"not as drawn by {Path(__file__).name}: {', '.join(different)}")
        return len(different)
    for path, text in texts.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
