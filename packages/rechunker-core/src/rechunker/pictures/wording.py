"""Wording: how numbers, times and names are written wherever a plan is shown."""

from __future__ import annotations

from collections.abc import Sequence

from rechunker.pictures.figures import ArrayFigures, PlanFigures
from rechunker.sizes import format_bytes

__all__ = ["chunks", "counted", "duration", "facts", "first_of", "printable"]

# Names that are listed of arrays that are left out.
_NAMES_SHOWN = 10
# A name that is longer is shortened.
_LONGEST_NAME = 60


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    Examples
    --------
    >>> counted(1, "task"), counted(1200, "task")
    ('1 task', '1,200 tasks')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def duration(seconds: float) -> str:
    """Return a time as text.

    Examples
    --------
    >>> duration(0.0), duration(0.0312), duration(3.14), duration(200), duration(1e6)
    ('less than 1 ms', '31 ms', '3.1 seconds', '3.3 minutes', '11.6 days')
    """
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.1f} {name}"
    if seconds >= 1:
        return f"{seconds:.1f} seconds" if seconds < 10 else f"{seconds:.0f} seconds"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "less than 1 ms"


def printable(name: str) -> str:
    r"""Return a name without line breaks and control characters, and not too long.

    Examples
    --------
    >>> printable("air"), printable("a\x1b[31m\n"), len(printable("x" * 500))
    ('air', 'a\\x1b[31m\\n', 60)
    """
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in name[: 2 * _LONGEST_NAME])
    if len(shown) <= _LONGEST_NAME:
        return shown
    return f"{shown[: _LONGEST_NAME - 12]}...{name[-9:] if name[-9:].isprintable() else '.' * 9}"


def first_of(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(map(printable, names[:_NAMES_SHOWN])) + more


def chunks(array: ArrayFigures) -> str:
    """Return the chunks of the source and of the target of an array."""
    return f"{array.divisions[0].text} -> {array.divisions[-1].text}"


def facts(plan: PlanFigures) -> list[tuple[str, str]]:
    """Return what is to be known of a plan, each with its name."""
    if not plan.arrays:
        return []
    reads, writes = counted(plan.total("gets"), "read"), counted(plan.total("puts"), "write")
    about = "less than 1 ms" if plan.seconds < 0.001 else f"about {duration(plan.seconds)}"
    return [
        *_sizes(plan),
        ("Requests", f"{reads}, {writes}"),
        ("Memory", _memory(plan)),
        ("Temp space", _temp_space(plan)),
        ("Time", f"{about}, estimated from the prices of requests, bytes and tasks"),
    ]


def _sizes(plan: PlanFigures) -> list[tuple[str, str]]:
    size = format_bytes(sum(array.nbytes for array in plan.arrays))
    tasks = counted(plan.total("tasks"), "task")
    if len(plan.arrays) > 1:
        hops = sum(array.hops > 0 for array in plan.arrays)
        through = f", {counted(hops, 'array')} by way of temporary objects" if hops else ""
        read = _read(sum(a.amplification * a.nbytes for a in plan.arrays), plan)
        return [
            ("Size", f"{size} in {counted(len(plan.arrays), 'array')}"),
            ("Stages", f"{tasks}{through}; {read}"),
        ]
    (array,) = plan.arrays
    first, last = array.divisions[0], array.divisions[-1]
    numbers = f"{counted(first.count, first.kind)} -> {counted(last.count, last.kind)}"
    steps = " -> ".join(division.place for division in array.divisions)
    each = " + ".join(f"{stage.tasks:,}" for stage in array.stages) if array.hops else ""
    each = f"{each} tasks" if each else tasks
    return [
        ("Chunks", chunks(array)),
        ("Size", f"{size}, {numbers}"),
        ("Stages", f"{steps}, {each}; {_read(array.amplification * array.nbytes, plan)}"),
    ]


def _read(nbytes: float, plan: PlanFigures) -> str:
    total = sum(array.nbytes for array in plan.arrays)
    return f"source read {nbytes / total if total else 1.0:.2f} times"


def _memory(plan: PlanFigures) -> str:
    most = format_bytes(max(array.memory for array in plan.arrays))
    return f"{most} of {format_bytes(plan.arrays[0].max_mem)} for each task"


def _temp_space(plan: PlanFigures) -> str:
    nbytes = sum(array.temp_bytes for array in plan.arrays)
    return f"{format_bytes(nbytes)}, free again at the end" if nbytes else "none"
