"""Plans as HTML: a fragment for notebooks, and a page of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rechunker.pictures.blocks import MOST_AXES
from rechunker.pictures.drawing import drawing
from rechunker.pictures.escaping import escaped
from rechunker.pictures.figures import ArrayFigures, Division, PlanFigures, StageFigures
from rechunker.pictures.text import plan_text
from rechunker.pictures.wording import chunks, counted, facts, first_of, printable
from rechunker.sizes import format_bytes

__all__ = ["fragment", "page"]

# Arrays that are drawn.
_DRAWN = 40
# Read amplification that is shown as much.
_MUCH = 1.5
_COLUMNS = ("stage", "boxes", "tasks", "reads", "writes", "read", "written", "memory")


def page(plan: PlanFigures) -> str:
    """Return a whole page, which needs nothing else.

    Parameters
    ----------
    plan
        What is to be shown.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(plan.title)}</title><style>{_style('page')}</style></head>\n"
        f"<body>{fragment(plan)}</body></html>\n"
    )


def fragment(plan: PlanFigures) -> str:
    """Return a part of a page; where its style is left out, the text of the plan is shown.

    JupyterLab leaves styles and drawings out of notebooks that are not trusted.

    Parameters
    ----------
    plan
        What is to be shown.
    """
    shown = [*plan.places, *facts(plan)]
    shown += [("Left out", first_of(plan.left_out))] if plan.left_out else []
    rows = "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(text)}</dd>" for name, text in shown)
    executed = "" if plan.executed is None else f"<span>executed: {escaped(plan.executed)}</span>"
    return (
        f'<div class="rk"><style>{_style("style")}</style>'
        f'<pre class="rk-text">{escaped(plan_text(plan))}</pre>'
        '<div class="rk-rich" style="display:none">'
        f'<div class="rk-head"><b>{escaped(plan.title)}</b>{executed}</div>'
        f'<dl class="rk-facts">{rows}</dl>{_arrays(plan)}</div></div>'
    )


@cache
def _style(name: str) -> str:
    return Path(__file__).with_name(f"{name}.css").read_text("utf-8")


def _arrays(plan: PlanFigures) -> str:
    if len(plan.arrays) == 1:
        return _array(plan.arrays[0])
    drawn = "".join(
        f'<details class="rk-array"><summary>{_row(array)}</summary>{_array(array)}</details>'
        for array in plan.largest(_DRAWN)
    )
    more = len(plan.arrays) - _DRAWN
    rest = f'<div class="rk-array">and {counted(more, "smaller array")}</div>' if more > 0 else ""
    return drawn + rest


def _row(array: ArrayFigures) -> str:
    hops = counted(array.hops, "hop") if array.hops else "direct"
    cells = (printable(array.name), chunks(array), format_bytes(array.nbytes), hops)
    return (
        f'<span class="rk-row">{"".join(f"<span>{escaped(cell)}</span>" for cell in cells)}</span>'
    )


def _array(array: ArrayFigures) -> str:
    """Return the drawings of an array, its memory, and the table of its stages."""
    first, *others = array.divisions
    flow = _figure(first, array) + "".join(
        _step(stage) + _figure(division, array)
        for stage, division in zip(array.stages, others, strict=True)
    )
    much = ' class="rk-much"' if array.amplification >= _MUCH else ""
    return (
        f'<div class="rk-flow">{flow}</div><div class="rk-bar">{_memory(array)}'
        f"<span{much}>read amplification {array.amplification:.2f}</span></div>{_stages(array)}"
    )


def _figure(division: Division, array: ArrayFigures) -> str:
    number, axes = counted(division.count, division.kind), len(array.shape)
    drawn = f"<small>last {MOST_AXES} of {axes} axes</small>" if axes > MOST_AXES else ""
    return (
        f"<figure>{drawing(division, array.dims)}<figcaption>{escaped(division.place)}"
        f"<small>{escaped(division.text)}</small><small>{number}</small>{drawn}"
        "</figcaption></figure>"
    )


def _step(stage: StageFigures) -> str:
    return f'<div class="rk-step"><b>&rarr;</b>{counted(stage.tasks, "task")}</div>'


def _memory(array: ArrayFigures) -> str:
    text = f"{format_bytes(array.memory)} of {format_bytes(array.max_mem)} memory for each task"
    part = min(100.0, 100 * array.memory / array.max_mem)
    return (
        f'<div class="rk-track" role="img" aria-label="{escaped(text)}">'
        f'<i style="width:{part:.1f}%"></i></div><span>{escaped(text)}</span>'
    )


def _stages(array: ArrayFigures) -> str:
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    rows = "".join(f"<tr>{_cells(stage)}</tr>" for stage in array.stages)
    return (
        f'<div class="rk-wide"><table class="rk-stages"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cells(stage: StageFigures) -> str:
    counts = (f"{count:,}" for count in (stage.tasks, stage.gets, stage.puts))
    sizes = map(format_bytes, (stage.bytes_read, stage.bytes_written, stage.memory))
    texts = (stage.name, stage.boxes, *counts, *sizes)
    return "".join(f"<td>{escaped(text)}</td>" for text in texts)
