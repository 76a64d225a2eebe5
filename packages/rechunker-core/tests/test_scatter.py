"""Every element lands in its cell, and nowhere else."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rechunker.copying.scatter import CellLayout, scatter
from rechunker.planning import Box

DTYPES = ["i4", "u1", "f8", "c16", "M8[s]", "S3", "i2,f8"]


class Case(NamedTuple):
    """A region of an array that is copied into the cells of a box."""

    array: Any
    widths: tuple[int, ...]
    box: Box
    piece: Box
    order: Any


@st.composite
def boxes(draw: st.DrawFn, shape: tuple[int, ...]) -> Box:
    start = tuple(draw(st.integers(0, n - 1)) for n in shape)
    return Box(start, tuple(draw(st.integers(i + 1, n)) for i, n in zip(start, shape, strict=True)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    shape = tuple(draw(st.lists(st.integers(1, 9), max_size=4)))
    widths = tuple(draw(st.integers(1, 6)) for _ in shape)
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    raw = np.random.default_rng(0).integers(1, 256, prod(shape) * dtype.itemsize, "u1")
    array = raw.view(dtype).reshape(shape)
    order = draw(st.sampled_from("CF"))
    return Case(array, widths, draw(boxes(shape)), draw(boxes(shape)), order)


@given(cases(), st.sampled_from([0, 8]))
def test_cells_hold_what_was_copied(case: Case, gap: int) -> None:
    origin = (0,) * case.array.ndim
    layout = CellLayout(case.box, case.widths, gap)
    buffer = np.zeros(layout.nbytes(case.array.itemsize), np.uint8)
    piece = np.array(case.array[case.piece.slices(origin)], order=case.order)
    copied = scatter(layout, buffer, case.piece.start, piece)
    expected = np.zeros_like(case.array)
    common = (case.box & case.piece).slices(origin)
    expected[common] = case.array[common]
    cells = [expected[cell.slices(origin)].tobytes() + bytes(gap) for cell in layout.cells()]
    assert copied == (case.box & case.piece).size
    assert buffer.tobytes() == b"".join(cells)


@given(cases())
def test_offsets_are_those_of_cells_back_to_back(case: Case) -> None:
    layout = CellLayout(case.box, case.widths)
    position = 0
    for number, cell in enumerate(layout.cells()):
        assert (layout.offset(cell), layout.position(cell)) == (position, number)
        with_gaps = CellLayout(case.box, case.widths, 8).byte_offset(cell, 4)
        assert with_gaps == 4 * position + 8 * number
        position += cell.size
    assert position == case.box.size
