"""Grids: closed forms against blocks that are listed one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from plan_strategies import partitions

from rechunker.planning import axis_widest, simplify_axis
from rechunker.planning.grids import (
    Axis,
    axis_bounds,
    axis_count,
    axis_meets,
    cell_count,
    cell_widest,
    elements_fetched,
    unravel,
)


@st.composite
def axes(draw: st.DrawFn, grids: int = 1) -> tuple[int, list[Axis]]:
    n = draw(st.integers(1, 60))
    axis: st.SearchStrategy[Axis] = st.one_of(st.integers(1, n + 5), partitions(n))
    return n, [draw(axis) for _ in range(grids)]


def owners(n: int, axis: Axis) -> list[int]:
    """The block that every element lies in."""
    if isinstance(axis, int):
        return [i // axis for i in range(n)]
    return [block for block, size in enumerate(axis) for _ in range(size)]


def cells(n: int, a: Axis, b: Axis) -> list[int]:
    """Sizes of the overlaps of two grids, in order."""
    pairs = list(zip(owners(n, a), owners(n, b), strict=True))
    return [pairs.count(pair) for pair in dict.fromkeys(pairs)]


@given(axes())
def test_bounds_hold_the_elements_of_each_block(case: tuple[int, list[Axis]]) -> None:
    n, (axis,) = case
    listed = [
        block for block in range(axis_count(n, axis)) for _ in range(*axis_bounds(n, axis, block))
    ]
    assert listed == owners(n, axis)


@given(axes(), st.data())
def test_meets_names_the_blocks_with_an_element_between(
    case: tuple[int, list[Axis]], data: st.DataObject
) -> None:
    n, (axis,) = case
    lo, hi = data.draw(st.integers(0, n)), data.draw(st.integers(0, n + 3))
    assert list(axis_meets(n, axis, lo, hi)) == sorted({*owners(n, axis)[lo:hi]})


@given(axes())
def test_widest_is_the_largest_block(case: tuple[int, list[Axis]]) -> None:
    n, (axis,) = case
    assert axis_widest(n, axis) == max(np.bincount(owners(n, axis)))


@given(axes(grids=2))
def test_cells_are_counted(case: tuple[int, list[Axis]]) -> None:
    n, (a, b) = case
    assert cell_count(n, a, b) == len(cells(n, a, b))


@given(axes(grids=2))
def test_widest_cell_is_found(case: tuple[int, list[Axis]]) -> None:
    n, (a, b) = case
    assert cell_widest(n, a, b) == max(cells(n, a, b))


@given(axes(grids=2))
def test_fetched_elements_are_counted_once_per_reader(case: tuple[int, list[Axis]]) -> None:
    n, (units, boxes) = case
    owner = owners(n, units)
    meetings = {*zip(owner, owners(n, boxes), strict=True)}
    assert elements_fetched(n, units, boxes) == sum(owner.count(unit) for unit, _ in meetings)


@given(axes())
def test_simplified_axis_has_the_same_blocks(case: tuple[int, list[Axis]]) -> None:
    n, (axis,) = case
    assert owners(n, simplify_axis(n, axis)) == owners(n, axis)


def test_only_equal_blocks_with_a_shorter_last_one_become_a_width() -> None:
    equal: list[tuple[int, ...]] = [(4, 4, 2), (4, 4, 4), (4,)]
    other: list[tuple[int, ...]] = [(2, 4), (4, 2, 4)]
    assert [simplify_axis(sum(axis), axis) for axis in equal] == [4, 4, 4]
    assert [simplify_axis(sum(axis), axis) for axis in other] == other


def test_axis_without_elements_has_no_cells() -> None:
    for axis in (3, (0,), ()):
        found = (cell_count(0, axis, 3), elements_fetched(0, axis, 3), axis_widest(0, axis))
        assert found == (0, 0, 0), axis


def test_nothing_meets_an_empty_range() -> None:
    for axis in (3, (4, 6)):
        assert len(axis_meets(10, axis, 4, 4)) == 0, axis


@given(st.lists(st.integers(1, 4), max_size=4), st.data())
def test_unravel_counts_in_c_order(counts: list[int], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, int(np.prod(counts)) - 1))
    assert unravel(index, counts) == tuple(int(i) for i in np.unravel_index(index, counts))


def test_counts_of_large_axes_are_exact() -> None:
    n, a, b = 10**18, 999_983, 1_000_003  # primes: their product is their least common multiple
    assert cell_count(n, a, b) == -(-n // a) - (-n // b) + (-n // (a * b))
