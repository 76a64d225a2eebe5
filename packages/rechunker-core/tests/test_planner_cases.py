"""Realistic cases: costs that a first version of the search reached, kept as upper limits.

`planner_cases.txt` has one case per line, with the cost of its plan in seconds for either preset.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from plan_bounds import Widths, consolidated, evaluate, lower_bound

from rechunker.planning import LOCAL, OBJECT_STORE, CostModel, RechunkPlan, plan_rechunk

PRESETS = {"local": LOCAL, "object_store": OBJECT_STORE}


class Case(NamedTuple):
    """One line of the table."""

    shape: tuple[int, ...]
    source: tuple[int, ...]
    target: tuple[int, ...]
    itemsize: int
    max_mem: int
    limits: dict[str, float]

    def plan(self, cost: CostModel) -> RechunkPlan:
        return plan_rechunk(
            self.shape, self.source, self.target, self.itemsize, self.max_mem, cost=cost
        )


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
every_preset = pytest.mark.parametrize("preset", PRESETS)


def test_all_cases_are_there() -> None:
    assert len(CASES) == 54


@every_case
@every_preset
def test_cost_is_not_above_the_limit(name: str, preset: str) -> None:
    plan = CASES[name].plan(PRESETS[preset])
    assert plan.cost <= 1.001 * CASES[name].limits[preset]


@every_case
@every_preset
def test_memory_is_not_above_the_limit(name: str, preset: str) -> None:
    assert CASES[name].plan(PRESETS[preset]).peak_memory <= CASES[name].max_mem


@every_case
@every_preset
def test_cost_is_between_the_lower_bound_and_twice_that(name: str, preset: str) -> None:
    cost = PRESETS[preset]
    plan = CASES[name].plan(cost)
    assert 1 - 1e-12 <= plan.cost / lower_bound(plan, cost) < 2


@pytest.mark.parametrize("share", [1.0, 0.5, 0.35])
@every_case
@every_preset
def test_no_worse_than_boxes_filled_axis_by_axis(name: str, preset: str, share: float) -> None:
    case, cost = CASES[name], PRESETS[preset]
    array = (case.shape, case.source, case.target, case.itemsize)
    grids = consolidated(*array[:3], case.max_mem * share / case.itemsize)
    theirs, peak = evaluate(*array, grids, cost)
    ours = plan_rechunk(*array, peak, cost=cost)
    assert ours.cost <= 1.005 * theirs


@pytest.mark.parametrize(
    ("array", "grids"),
    [
        # Few boxes: what fits at the ends of the axes decides.
        (((45, 3864), (32, 4), (1, 1691), 1), [(32, 1316), (8, 5073)]),
        # Boxes of half a source chunk, but for one element.
        (((4931, 1745, 241), (26, 493, 25), (1272, 13, 241), 8), [(1272, 247, 241)]),
    ],
)
@every_preset
def test_no_worse_than_boxes_that_happen_to_fit(
    array: tuple[Widths, Widths, Widths, int], grids: list[Widths], preset: str
) -> None:
    theirs, peak = evaluate(*array, grids, PRESETS[preset])
    assert plan_rechunk(*array, peak, cost=PRESETS[preset]).cost <= 1.005 * theirs
