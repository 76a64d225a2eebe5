"""Realistic cases: costs that a first version of the search reached, kept as upper limits.

`planner_cases.txt` has one case per line, with the cost of its plan in seconds for either preset.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest
from plan_bounds import Widths, consolidated, evaluate

from bounds import lower_bound
from rechunker.planning import LOCAL, OBJECT_STORE, RechunkPlan, plan_rechunk

PRESETS = {"local": LOCAL, "object_store": OBJECT_STORE}


class Case(NamedTuple):
    """One line of the table."""

    shape: tuple[int, ...]
    source: tuple[int, ...]
    target: tuple[int, ...]
    itemsize: int
    max_mem: int
    limits: dict[str, float]


def read_cases() -> dict[str, Case]:
    header, *lines = Path(__file__).with_name("planner_cases.txt").read_text().splitlines()
    rows = [dict(zip(header.split(), line.split(), strict=True)) for line in lines]
    return {row["name"]: as_case(row) for row in rows}


def as_case(row: dict[str, str]) -> Case:
    shape, source, target = (
        tuple(map(int, row[name].split(","))) for name in ("shape", "source", "target")
    )
    limits = {name: float(row[name]) for name in PRESETS}
    return Case(shape, source, target, int(row["itemsize"]), int(row["max_mem"]), limits)


CASES = read_cases()

every_case = pytest.mark.parametrize("name", CASES)


@cache
def planned(name: str, preset: str, max_mem: int) -> RechunkPlan:
    case = CASES[name]
    array = (case.shape, case.source, case.target, case.itemsize)
    return plan_rechunk(*array, max_mem, cost=PRESETS[preset])


def test_all_cases_are_there() -> None:
    assert len(CASES) == 54


@every_case
def test_cost_and_memory_stay_within_their_limits(name: str) -> None:
    case = CASES[name]
    for preset, cost in PRESETS.items():
        plan = planned(name, preset, case.max_mem)
        assert plan.peak_memory <= case.max_mem, f"{preset}: memory is above the limit"
        assert plan.cost <= 1.001 * case.limits[preset], f"{preset}: cost is above the limit"
        ratio = plan.cost / lower_bound(plan, cost)
        assert ratio >= 1 - 1e-12, f"{preset}: cost is below the lower bound"
        assert ratio < 2, f"{preset}: cost is at least twice the lower bound"


@every_case
def test_no_worse_than_boxes_filled_axis_by_axis(name: str) -> None:
    case = CASES[name]
    array = (case.shape, case.source, case.target, case.itemsize)
    for preset, share in product(PRESETS, (1.0, 0.5, 0.35)):
        grids = consolidated(*array[:3], case.max_mem * share / case.itemsize)
        theirs, peak = evaluate(*array, grids, PRESETS[preset])
        ours = planned(name, preset, peak)
        assert ours.cost <= 1.005 * theirs, f"{preset}: boxes fill {share} of the memory"


# Few boxes: what fits at the ends of the axes decides.
FEW: tuple[Widths, Widths, Widths, int] = ((45, 3864), (32, 4), (1, 1691), 1)
# Boxes of half a source chunk, but for one element.
HALF: tuple[Widths, Widths, Widths, int] = ((4931, 1745, 241), (26, 493, 25), (1272, 13, 241), 8)


def test_no_worse_than_boxes_that_happen_to_fit() -> None:
    boxes: list[tuple[tuple[Widths, Widths, Widths, int], list[Widths]]] = [
        (FEW, [(32, 1316), (8, 5073)]),
        (HALF, [(1272, 247, 241)]),
    ]
    for (array, grids), (preset, cost) in product(boxes, PRESETS.items()):
        theirs, peak = evaluate(*array, grids, cost)
        ours = plan_rechunk(*array, peak, cost=cost)
        assert ours.cost <= 1.005 * theirs, f"{preset}: {array}"
