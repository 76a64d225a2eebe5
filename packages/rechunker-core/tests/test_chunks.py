"""Chunk shapes as users write them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import zarr
from cases import about
from hypothesis import given
from hypothesis import strategies as st
from zarr.buffer.cpu import Buffer
from zarr.storage import MemoryStore

from rechunker.metadata import dimension_names, normalize_chunks, normalize_shards

DIMS = ("time", "lat", "lon")
SHAPE = (365, 180, 360)
OWN = (1, 90, 360)


def create(**given: Any) -> zarr.Array[Any]:
    defaults = {"store": {}, "shape": (6, 4), "chunks": (3, 4), "dtype": "i4"}
    return zarr.create_array(**{**defaults, **given})


def test_chunks_are_one_size_per_axis() -> None:
    cases: list[tuple[Any, tuple[int, ...]]] = [
        ((10, 20, 30), (10, 20, 30)),
        ([10, 20, 30], (10, 20, 30)),
        ((np.int64(10), np.uint8(20), 30), (10, 20, 30)),
        ((-1, 1, -1), (365, 1, 360)),
        ((1000, 1000, 1), (365, 180, 1)),
        (-1, SHAPE),
        (None, OWN),
        ((None, 10, None), (1, 10, 360)),
        ({"time": -1, "lon": 10}, (365, 90, 10)),
        ({"time": 1000, "lat": None, "lon": 1}, (365, 90, 1)),
        ({}, OWN),
        ({...: -1, "time": 5, "depth": None}, (5, 180, 360)),
        ("auto", SHAPE),
        ("500kB", (7, 180, 360)),
        (("auto", "100kB", 5), (111, 180, 5)),
        ({"time": -1, ...: "20kB"}, (365, 3, 18)),
    ]
    for chunks, expected in cases:
        found = normalize_chunks(chunks, SHAPE, DIMS, OWN)
        assert found == expected, chunks
        assert {type(size) for size in found} == {int}, chunks


def test_one_size_is_enough_for_one_axis() -> None:
    assert normalize_chunks(7, (10,)) == (7,)


def test_none_leaves_chunks_larger_than_the_array_as_they_are() -> None:
    assert normalize_chunks(None, (4,), None, (10,)) == (10,)


def test_an_axis_without_length_has_chunks_of_one() -> None:
    for chunks in ((5,), (-1,), {"x": 5}):
        assert normalize_chunks(chunks, (0,), ("x",)) == (1,), chunks


def test_an_array_without_axes_has_chunks_without_sizes() -> None:
    given: list[Any] = [(), {}, None, -1]
    for chunks in given:
        assert normalize_chunks(chunks, (), None, ()) == (), chunks


def test_names_may_be_given_where_some_axes_have_none() -> None:
    assert normalize_chunks({"x": 2}, (4, 4), (None, "x"), (3, 3)) == (3, 2)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 99) | st.just(-1)), max_size=4))
def test_chunks_lie_between_one_and_the_length_of_the_axis(axes: list[tuple[int, int]]) -> None:
    shape = [n for n, _ in axes]
    found = normalize_chunks(tuple(size for _, size in axes), shape)
    assert all(1 <= size <= max(1, n) for size, n in zip(found, shape, strict=True))


def test_chunks_that_do_not_fit_are_refused() -> None:
    cases: list[tuple[Any, str]] = [
        ((10, 20), r"target_chunks=\(10, 20\) has 2 sizes, but the array has 3 axes"),
        ((10, 20, 0), r"axis 2: the size must be a positive integer or -1, got 0"),
        ((10, -2, 1), r"axis 1: the size must be a positive integer or -1, got -2"),
        ({"time": 0}, r"axis 0: the size must be a positive integer or -1, got 0"),
        ({"depth": 5}, r"'depth' must name exactly one dimension; .*'time', 'lat', 'lon'"),
        ({0: 5}, r"0 must name exactly one dimension"),
        (("1MB", "2MB", 1), r"one number of bytes, not '1MB' and '2MB'"),
        (("10mb/s", 1, 1), r"axis 0: a memory size must be .*, or 'auto'"),
        (("8B", -1, -1), r"a chunk still has 64.8 kB, more than 8 B; give more bytes, or let"),
    ]
    for chunks, message in cases:
        with about(chunks), pytest.raises(ValueError, match=message):
            normalize_chunks(chunks, SHAPE, DIMS, OWN)


def test_what_is_no_chunk_shape_is_refused() -> None:
    cases: list[tuple[Any, str]] = [
        (10, r"target_chunks=10 is not a chunk shape; give a tuple .* each of the 3 axes"),
        (True, r"target_chunks=True is not a chunk shape"),
        (1.5, r"target_chunks=1.5 is not a chunk shape"),
        ((1.0, 1, 1), r"axis 0: the size must be an integer, got 1.0"),
        (("1", 1, 1), r"axis 0: the size must be an integer, 'auto' or bytes with .*, got '1'"),
        ((True, 1, 1), r"axis 0: the size must be an integer, got True"),
        (((5, 5), 1, 1), r"axis 0: give one size per axis, got \(5, 5\); Zarr chunks are regular"),
    ]
    for chunks, message in cases:
        with about(chunks), pytest.raises(TypeError, match=message):
            normalize_chunks(chunks, SHAPE, DIMS, OWN)


def test_names_are_refused_where_the_dimensions_have_none() -> None:
    with pytest.raises(ValueError, match="the array has no dimension names; give a tuple"):
        normalize_chunks({"x": 1}, (4,), None, (2,))


def test_a_name_of_two_dimensions_is_refused() -> None:
    with pytest.raises(ValueError, match="'x' must name exactly one dimension"):
        normalize_chunks({"x": 1}, (4, 4), ("x", "x"), (2, 2))


def test_errors_call_the_chunks_what_the_user_called_them() -> None:
    with pytest.raises(ValueError, match=r"target_chunks\['air'\]=\(1,\) has 1 size"):
        normalize_chunks((1,), SHAPE, what="target_chunks['air']")


def test_shards_are_whole_chunks() -> None:
    cases: list[tuple[Any, tuple[int, ...]]] = [
        ((4, 20), (4, 20)),
        ((-1, 20), (12, 20)),
        (-1, (12, 100)),
        ((99, 10), (12, 10)),
        ({"x": 20}, (4, 20)),
    ]
    for shards, expected in cases:
        assert normalize_shards(shards, (4, 10), (10, 100), ("y", "x")) == expected, shards


def test_shards_that_cut_chunks_are_refused() -> None:
    message = r"axis 0: the shard size 10 is not a multiple of the chunk size 4; give 8 or 12"
    with pytest.raises(ValueError, match=message):
        normalize_shards((10, 10), (4, 10), (10, 100))


def test_names_of_dimensions_are_metadata_in_v3() -> None:
    assert dimension_names(create(dimension_names=("y", None))) == ("y", None)


def test_names_of_dimensions_are_an_attribute_in_v2() -> None:
    array = create(zarr_format=2, attributes={"_ARRAY_DIMENSIONS": ["y", "x"]})
    assert dimension_names(array) == ("y", "x")


@pytest.mark.parametrize(
    "extra",
    [
        {"_NCZARR_ARRAY": {"dimrefs": ["/y", "/group/x"], "storage": "chunked"}},
        {"_nczarr_array": {"dimension_references": ["/y", "/group/x"]}},
    ],
)
def test_names_of_dimensions_are_references_in_nczarr(extra: dict[str, Any]) -> None:
    objects: dict[str, Any] = {}
    create(store=MemoryStore(objects), zarr_format=2)
    metadata = {**json.loads(objects[".zarray"].to_bytes()), **extra}
    objects[".zarray"] = Buffer.from_bytes(json.dumps(metadata).encode())
    assert dimension_names(zarr.open_array(MemoryStore(objects))) == ("y", "x")


def test_dimensions_may_have_no_names() -> None:
    cases: list[dict[str, Any]] = [
        {},
        {"dimension_names": (None, None)},
        {"zarr_format": 2},
        {"zarr_format": 2, "attributes": {"_ARRAY_DIMENSIONS": ["x"]}},
        {"zarr_format": 2, "attributes": {"_ARRAY_DIMENSIONS": "xy"}},
        {"zarr_format": 2, "attributes": {"_ARRAY_DIMENSIONS": [1, 2]}},
    ]
    for options in cases:
        assert dimension_names(create(**options)) is None, options
