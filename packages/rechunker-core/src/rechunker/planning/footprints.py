"""Layouts: how a task keeps its box in memory, with the bytes that takes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Footprint", "Layout", "Load", "cheapest_layout"]

Numbers = npt.NDArray[Any]  # float64 in the search, exact Python integers for the chosen plan


class Layout(Enum):
    """How a task keeps its box.

    Attributes
    ----------
    PACKED
        As the units that are written, back to back and cut off at the end of the array.
    PADDED
        As whole target units, those at the end of the array padded: none is copied to be encoded.
    VIEW
        Not at all: the one unit that the task reads is the buffer it writes from.
    """

    PACKED = "packed"
    PADDED = "padded"
    VIEW = "view"


@dataclass(frozen=True)
class Footprint:
    """Bytes that one task holds beside its box.

    Parameters
    ----------
    read
        One source unit on its way in, decoded and encoded.
    unit
        A decoded source unit, where it can itself serve as the buffer; None where it cannot.
    write
        One encoded target unit on its way out.
    pad
        One padded copy of a target unit.
    spill
        What is held besides the box while a temporary object is stored, relative to the box.
    concurrency
        Reads, or writes, that are in flight at a time in one task.

    Examples
    --------
    >>> Footprint.of_units(source=1000, target=400)
    Footprint(read=2000, unit=1000, write=400, pad=400, spill=0.0, concurrency=1)
    """

    read: int
    unit: int | None
    write: int
    pad: int
    spill: float = 0.0
    concurrency: int = 1

    def __post_init__(self) -> None:
        sizes = (self.read, self.unit or 0, self.write, self.pad, self.spill)
        if min(sizes) < 0 or self.concurrency < 1:
            raise ValueError(f"sizes must not be negative, nor concurrency below 1: {self}")

    @classmethod
    def of_units(cls, source: int, target: int) -> Footprint:
        """Return the footprint for units of so many decoded bytes that do not compress."""
        return cls(read=2 * source, unit=source, write=target, pad=target)


class Load(NamedTuple):
    """What the memory of a stage's tasks depends on: bytes, each for many candidate plans.

    `box` is the largest box, `padded` the same of whole target units, `cell` the largest cell of
    this stage and the one before, `single` where every task reads one unit; `first` and `last`
    tell whether this is stage 0 and the last stage, `cut` whether some target unit reaches over
    the end of the array, `same` whether source and target units are equal.
    """

    box: Numbers
    padded: Numbers
    cell: Numbers
    single: npt.NDArray[np.bool_]
    first: bool
    last: bool
    cut: bool
    same: bool


LAYOUTS = (Layout.PACKED, Layout.PADDED, Layout.VIEW)  # of equally cheap ones the first is taken


def cheapest_layout(load: Load, footprint: Footprint) -> tuple[Numbers, npt.NDArray[np.intp]]:
    """Return the bytes that one task holds, and the index in `LAYOUTS` that needs no more."""
    fetch = footprint.read + 0 * load.box if load.first else load.cell
    least = _packed(load, fetch, footprint)
    chosen = np.zeros(least.shape, dtype=np.intp)
    for index, layout in enumerate((_padded, _view), start=1):
        held = layout(load, fetch, footprint)
        if held is not None:
            less = np.asarray(held < least, dtype=np.bool_)
            least, chosen = np.where(less, held, least), np.where(less, index, chosen)
    return least, chosen


def _packed(load: Load, fetch: Numbers, held: Footprint) -> Numbers:
    if load.last:
        store = held.write + (held.pad if load.cut else 0)
        beside: Numbers = held.concurrency * np.maximum(fetch, store)
    else:
        beside = np.maximum(held.concurrency * fetch, _spilled(load, held))
    return load.box + beside


def _padded(load: Load, fetch: Numbers, held: Footprint) -> Numbers | None:
    if not (load.last and load.cut):
        return None
    beside: Numbers = held.concurrency * np.maximum(fetch, held.write)
    return load.padded + beside


def _view(load: Load, fetch: Numbers, held: Footprint) -> Numbers | None:
    if (load.first and held.unit is None) or not load.single.any():
        return None
    # A unit is at least as large as the box that is cut out of it.
    unit = np.maximum(held.unit or 0, load.box) if load.first else load.cell
    if load.last:
        # Only a unit of the source is, if it is equal, already what has to be encoded.
        copy = 0 if load.first and load.same else held.pad
        store: Numbers | int = held.concurrency * (held.write + copy)
    else:
        store = load.box + _spilled(load, held)
    return np.where(load.single, np.maximum(fetch, unit + store), np.inf)


def _spilled(load: Load, held: Footprint) -> Numbers | int:
    """Return the bytes that are held besides the box while it is stored, rounded up."""
    if not held.spill:
        return 0
    whole: Numbers = -(-held.spill * load.box // 1)
    return whole
