"""Plans as text: the lines of a repr, and the table of the stages of an array."""

from __future__ import annotations

from collections.abc import Sequence

from rechunker.pictures.figures import ArrayFigures, PlanFigures
from rechunker.pictures.wording import chunks, counted, duration, facts, first_of, printable
from rechunker.sizes import format_bytes

__all__ = ["in_a_line", "plan_table", "plan_text"]

# Arrays that are listed.
_ROWS = 10
# Characters of a source that is shown.
_LONGEST = 300


def plan_text(plan: PlanFigures) -> str:
    """Return what will happen, in a few lines.

    Parameters
    ----------
    plan
        What is to be shown.
    """
    rows = [*plan.places, *facts(plan)]
    rows += [] if plan.executed is None else [("Executed", plan.executed)]
    rows += [("Left out", first_of(plan.left_out))] if plan.left_out else []
    lines = [f"* {name:<12}: {text}" for name, text in rows]
    return "\n".join([f"<{plan.title}>", *lines, *_arrays(plan)])


def _arrays(plan: PlanFigures) -> list[str]:
    """Return the lines on single arrays, where there are several."""
    if len(plan.arrays) < 2:
        return []
    rows = [["array", "chunks -> new chunks", "size", "hops", "memory"]]
    for array in plan.largest(_ROWS):
        sizes = (format_bytes(array.nbytes), str(array.hops), format_bytes(array.memory))
        rows.append([printable(array.name), chunks(array), *sizes])
    more = len(plan.arrays) - _ROWS
    rest = [f"  and {counted(more, 'smaller array')}"] if more > 0 else []
    return [*(f"  {line}" for line in _aligned(rows, left=2)), *rest]


def _aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Return the lines of a table whose first columns, `left` of them, are words."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            [
                *map(str.ljust, row[:left], widths[:left]),
                *map(str.rjust, row[left:], widths[left:]),
            ]
        )
        for row in rows
    ]


def plan_table(array: ArrayFigures) -> str:
    """Return a table of the stages of an array, between a line on it and one on the totals.

    Parameters
    ----------
    array
        What is to be shown.
    """
    rows = [["stage", "boxes", "tasks", "gets", "puts", "read", "written", "memory"]]
    for stage in array.stages:
        counts = (f"{count:,}" for count in (stage.tasks, stage.gets, stage.puts))
        sizes = (stage.bytes_read, stage.bytes_written, stage.memory)
        rows.append([stage.name, stage.boxes, *counts, *map(format_bytes, sizes)])
    shape = f"({', '.join(map(str, array.shape))}{',' if len(array.shape) == 1 else ''})"
    memory = f"{format_bytes(array.memory)} of {format_bytes(array.max_mem)}"
    return "\n".join(
        (
            f"{shape}, {format_bytes(array.nbytes)}, from chunks {chunks(array)}",
            *_aligned(rows, left=1),
            f"memory of a task: {memory}; read amplification: {array.amplification:.2f}; "
            f"estimate: {duration(array.seconds)}",
        )
    )


def in_a_line(shown: str) -> str:
    """Return the beginning of what a source is shown as: a whole dataset has many lines."""
    text = " ".join(shown.split())
    text = text.partition(" Coordinates: ")[0].partition(" Data variables: ")[0]
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."
