"""Suggested chunks: sizes, what reads touch, and plans."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import pytest
from cases import about
from hypothesis import given
from hypothesis import strategies as st

from rechunker import MemoryLimitError, suggest_chunks

SHAPE = (400, 300, 200)


def chunks_met(n: int, chunk: int, read: int) -> float:
    """Count, position by position, the chunks that reads along an axis meet on average."""
    firsts = range(n - read + 1)
    return sum((i + read - 1) // chunk - i // chunk + 1 for i in firsts) / len(firsts)


def test_one_kind_of_read_gets_chunks_of_its_shape() -> None:
    (series,) = suggest_chunks(SHAPE, 4, access=(-1, 1, 1), nbytes="100kB")
    assert (series.chunks[0], series.touched) == (400, (1,))
    (maps,) = suggest_chunks(SHAPE, 4, access=(1, -1, -1), nbytes="480kB")
    assert (maps.chunks, maps.touched) == ((2, 300, 200), (1,))


def test_several_kinds_of_reads_get_a_compromise_and_what_suits_each() -> None:
    both, maps, series = suggest_chunks(SHAPE, 4, access=[(1, -1, -1), (-1, 1, 1)], nbytes="250kB")
    assert sum(maps.touched) > 3 * sum(both.touched) < sum(series.touched)
    assert maps.touched[0] < both.touched[0] < series.touched[0]
    assert maps.touched[1] > both.touched[1] > series.touched[1]


def test_what_is_touched_is_what_reads_of_all_positions_touch() -> None:
    (one,) = suggest_chunks((120, 90), 8, access=(16, 9), nbytes=1600)
    axes = zip((120, 90), one.chunks, (16, 9), strict=True)
    assert one.touched[0] == pytest.approx(prod(chunks_met(*axis) for axis in axes), rel=0.05)


def test_no_chunks_of_as_many_bytes_are_much_better() -> None:
    (one,) = suggest_chunks((128, 128), 1, access=(10, 40), nbytes=256)
    widths = [2**n for n in range(9)]
    least = min(
        chunks_met(128, a, 10) * chunks_met(128, b, 40)
        for a, b in product(widths, widths)
        if a * b <= 256 and max(a, b) <= 128
    )
    axes = zip((128, 128), one.chunks, (10, 40), strict=True)
    assert prod(chunks_met(*axis) for axis in axes) <= 1.1 * least


@given(data=st.data())
def test_chunks_are_as_large_as_they_may_be(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 3000), min_size=1, max_size=4))
    access = [data.draw(st.sampled_from([-1, 1, max(1, n // 3)])) for n in shape]
    nbytes, itemsize = data.draw(st.integers(1, 10**6)), data.draw(st.sampled_from([1, 4, 8]))
    for one in suggest_chunks(shape, itemsize, access=access, nbytes=nbytes):
        assert all(1 <= chunk <= n for chunk, n in zip(one.chunks, shape, strict=True))
        assert one.nbytes == itemsize * prod(one.chunks) <= max(nbytes, itemsize)
        counts = [-(-n // chunk) for n, chunk in zip(shape, one.chunks, strict=True)]
        assert one.number == prod(counts)
        # Twice as many along any axis would not do, except for chunks made even along that axis.
        grown = [n for n, chunk in zip(shape, one.chunks, strict=True) if chunk < n]
        assert not grown or one.nbytes * 2 ** (len(shape) + 1) > min(nbytes, itemsize * prod(shape))


def test_plans_show_what_it_takes() -> None:
    found = suggest_chunks(
        SHAPE, 4, access=[(1, -1, -1), (-1, 1, 1)], source_chunks=(1, 300, 200), max_mem="20MB",
        nbytes="250kB",
    )  # fmt: skip
    for one in found:
        assert one.plan is not None
        assert one.plan.target_chunks == one.chunks
        assert str(one.plan.hops) + " hop" in str(one)
    with pytest.raises(MemoryLimitError, match="max_mem=1 kB"):
        suggest_chunks(SHAPE, 4, access=(1, 1, -1), source_chunks=(1, 300, 200), max_mem="1kB")


def test_what_makes_no_sense_is_refused() -> None:
    for shape, itemsize, options, match in [
        ((0, 4), 8, {"access": (1, 1)}, "1 element or more"),
        ((4, 4), 0, {"access": (1, 1)}, "itemsize and nbytes"),
        ((4, 4), 8, {"access": (1, 1), "nbytes": 0}, "0"),
        ((4, 4), 8, {"access": (1,)}, "2 sizes"),
        ((4, 4), 8, {"access": (0, 1)}, "1 or more, or -1"),
        ((4, 4), 8, {"access": [(1, 1), (1, 1, 1)]}, "2 sizes"),
        ((4, 4), 8, {"access": []}, "2 sizes"),
    ]:
        wrong: Any = options
        with about(wrong), pytest.raises(ValueError, match=match):
            suggest_chunks(shape, itemsize, **wrong)
