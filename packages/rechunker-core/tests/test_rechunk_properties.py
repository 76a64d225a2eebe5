"""What must hold for every array, on real stores: see docs/algorithm.md."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
import zarr
from counting import CountingStore, objects
from hypothesis import given
from hypothesis import strategies as st
from numcodecs import Blosc, GZip

import rechunker

FIGURES = ("tasks", "gets", "puts", "bytes_read", "bytes_written")
COMPRESSORS = [None, Blosc("lz4", shuffle=1), GZip(1)]


class Case(NamedTuple):
    """An array, and what becomes of it."""

    shape: tuple[int, ...]
    source: tuple[int, ...]
    target: tuple[int, ...]
    itemsize: int
    compressor: Any
    temp: Any
    factor: float


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw small arrays of any geometry: chunks beyond the shape, primes, axes of length 0."""
    ndim = draw(st.integers(0, 4))
    longest = (1, 200, 40, 14, 8)[ndim]
    shape = tuple(draw(st.integers(0 if i == 0 else 1, longest)) for i in range(ndim))
    source = tuple(draw(st.integers(1, n + 2)) for n in shape)
    target = tuple(draw(st.integers(1, n + 2)) for n in shape)
    compressors = st.sampled_from(COMPRESSORS)
    return Case(
        shape,
        source,
        target,
        draw(st.sampled_from([1, 4, 8])),
        draw(compressors),
        draw(compressors),
        draw(st.sampled_from([1.0, 1.5, 3.0, 20.0])),
    )


def make_source(case: Case, store: Any) -> zarr.Array[Any]:
    """Fill an array with values that are never its fill value."""
    values = np.arange(prod(case.shape)) % 100 + 1
    dtype = f"i{case.itemsize}"
    source = zarr.create_array(
        store,
        shape=case.shape,
        chunks=case.source,
        dtype=dtype,
        zarr_format=2,
        compressors=case.compressor,
        fill_value=0,
    )
    source[...] = values.reshape(case.shape).astype(dtype)
    return source


def planned(
    case: Case, source: zarr.Array[Any], target: Any, temp: Any
) -> rechunker.Rechunked[Any]:
    """Plan with a multiple of the least memory that does."""

    def plan(max_mem: int) -> rechunker.Rechunked[Any]:
        return rechunker.rechunk(
            source,
            case.target,
            max_mem,
            target,
            temp_store=temp,
            temp_options={"compressor": case.temp},
            executor="python",
        )

    try:
        return plan(1)
    except rechunker.MemoryLimitError as error:
        return plan(int(error.needed * case.factor))


@given(cases())
def test_target_equals_source(case: Case) -> None:
    source = make_source(case, {})
    target = planned(case, source, {}, {}).execute()
    assert isinstance(target, zarr.Array)
    assert target.dtype == source.dtype
    np.testing.assert_array_equal(target[...], source[...])


@given(cases())
def test_an_execution_does_exactly_what_was_predicted(case: Case) -> None:
    source, target, temp = (CountingStore() for _ in range(3))
    rechunked = planned(case, make_source(case, source), target, temp)
    for store in (source, target, temp):
        store.forget()
    rechunked.execute()
    done, stages = rechunked.traffic, rechunked.copy_plan[""].stages
    predicted = {name: sum(getattr(stage, name) for stage in stages) for name in FIGURES}
    gets = sum(objects(source.gets).values()) + sum(objects(temp.gets).values())
    puts = sum(objects(target.puts).values()) + sum(objects(temp.puts).values())
    assert gets == predicted["gets"], "the stores get other requests to read"
    assert puts == predicted["puts"], "the stores get other requests to write"
    reported = {name: getattr(done, name) for name in FIGURES}
    assert reported == predicted, "tasks report something else"
    written = objects(target.puts) + objects(temp.puts)
    assert max(written.values(), default=1) == 1, "an object is written twice"
    assert not temp._store._store_dict, "a temporary object is left"  # type: ignore[attr-defined]


@given(cases())
def test_nothing_is_written_before_execution(case: Case) -> None:
    source, target, temp = CountingStore(), CountingStore(), CountingStore()
    array = make_source(case, source)
    source.forget()
    planned(case, array, target, temp)
    assert not source.puts + target.puts + temp.puts
