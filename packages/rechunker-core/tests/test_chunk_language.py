"""One language of chunks for arrays, groups, datasets and trees."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import xarray as xr
import zarr
from cases import about
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore

import rechunker
from rechunker.metadata import normalize_chunks, normalize_shards, scaled_shards
from rechunker.sources import Members
from rechunker.sources.target_chunks import chunks_by_array

DIMS: dict[str, tuple[str | None, ...]] = {
    "time": ("time",),
    "v": ("time", "y", "x"),
    "mask": (None, None),
    "in/v": ("time", "x"),
    "in/deep/w": ("x",),
}


def members(*, selects: bool = False) -> Members:
    return Members(
        arrays=tuple(DIMS),
        groups=frozenset(("", "in", "in/deep")),
        dims_of=DIMS.__getitem__,
        kind="group",
        in_one_chunk=lambda path: path == "time",
        selects=selects,
    )


def found(chunks: Any, *, selects: bool = False) -> dict[str, Any]:
    by_array = chunks_by_array(chunks, members(selects=selects))
    return {path: entry.chunks for path, entry in by_array.items()}


def test_entries_have_a_precedence() -> None:
    kept = dict.fromkeys(DIMS)
    cases: list[tuple[Any, dict[str, Any]]] = [
        (None, {}),
        ({}, {}),
        ("1MB", {"time": -1, "v": ("1MB",) * 3, "mask": ("1MB",) * 2, "in/v": ("1MB",) * 2}),
        ({"y": 5}, {"time": -1, "v": (None, 5, None)}),
        ({"time": 3, ...: -1}, {"time": -1, "v": (3, -1, -1), "mask": (-1, -1), "in/v": (3, -1)}),
        ({"time": 3, "v": {"x": 4}}, {"time": -1, "v": (3, None, 4), "in/v": (3, None)}),
        ({"time": 3, "v": (1, None, 2)}, {"time": -1, "v": (1, None, 2), "in/v": (3, None)}),
        ({"time": 3, "v": None, "/in": {}}, {"time": -1}),
        ({"time": (2,), "v": "9kB"}, {"time": (2,), "v": ("9kB",) * 3}),
        ({"in": {"time": 7}, "time": 3}, {"time": -1, "v": (3, None, None), "in/v": (7, None)}),
        ({"in": {"time": 7, "v": {"x": 2}}, "/in/deep": {...: 1}}, {"in/v": (7, 2)}),
        ({"*v": {"x": 2}, "in/*": {"x": 3}}, {"time": -1, "v": (None, None, 2), "in/v": (None, 3)}),
        ({"*/v": (5, 6), "in/v": {"x": 3}}, {"in/v": (5, 3)}),
        ({"lat": None, "y": 5, "x": None}, {"time": -1, "v": (None, 5, None)}),
    ]
    deep: dict[Any, Any] = {2: ("1MB",), 4: (-1,), 10: (1,), 11: (3,)}
    for number, (chunks, expected) in enumerate(cases):
        with about(chunks):
            assert found(chunks) == {**kept, **expected, "in/deep/w": deep.get(number)}


def test_a_group_is_copied_as_a_whole_unless_arrays_are_named() -> None:
    whole = list(DIMS)
    cases: list[tuple[Any, list[str]]] = [
        (None, whole),
        ({}, whole),
        ("auto", whole),
        ({"x": 5}, whole),
        ({"x": 5, "v": None}, whole),
        ({"v": None}, ["v"]),
        ({"v": (1, 1, 1), "time": None, "lat": None, "y": None}, ["time", "v"]),
        ({"/in/v": (1, 1)}, ["in/v"]),
        ({"in*": {"x": 5}}, ["in/v", "in/deep/w"]),
        ({"in": {"x": 5}}, ["in/v"]),
        ({"in": {"deep/w": (5,)}}, ["in/deep/w"]),
        ({"in": {"deep": {}}}, ["in/deep/w"]),
    ]
    for chunks, expected in cases:
        with about(chunks):
            assert list(found(chunks, selects=True)) == expected


def test_what_names_nothing_is_refused() -> None:
    cases: list[tuple[Any, type[Exception], str]] = [
        ({"tame": 5}, ValueError, r"no 'tame'; did you mean 'time'\?"),
        ({"lat": None}, ValueError, "no 'lat'"),
        ({"*/q": None, "b": 3}, ValueError, "no 'b'"),
        ({"v": {"z": 3}}, ValueError, r"\['v'\]={'z': 3}: 'z' must name exactly one dimension"),
        ({"in*": {"y": 3}}, ValueError, r"\['in\*'\]: the source has no 'y'"),
        ({"in": {"y": (3,)}}, TypeError, r"\['in'\]\['y'\] must be one size"),
        ({...: (3,)}, TypeError, r"\[\.\.\.\] must be one size"),
        ({"y": 0}, ValueError, r"\['y'\].*positive"),
        ({"mask": {"x": 3}}, ValueError, "no dimension names"),
        ({"v": None, "/v/": None}, ValueError, "two entries for the array 'v'"),
        ({"in": {}, "/in": {}}, ValueError, "two entries for the group 'in'"),
        ((1, 2), TypeError, "give a dict by name of its dimensions"),
        (5, TypeError, "give a dict by name of its dimensions"),
    ]
    for chunks, error, message in cases:
        with about(chunks), pytest.raises(error, match=message):
            found(chunks, selects=True)


sizes = st.integers(1, 60) | st.sampled_from([-1, None, "auto", "1kB"])
by_name = st.dictionaries(st.sampled_from(["time", "y", "x", ...]), sizes, max_size=4)


@given(by_name, by_name, st.none() | by_name | st.tuples(sizes, sizes))
def test_each_axis_takes_the_first_size_that_is_given(
    everywhere: dict[Any, Any], group: dict[Any, Any], own: Any
) -> None:
    chunks = {**everywhere, "in": group, "in/v": own}
    if isinstance(own, dict):
        own = {name: size for name, size in own.items() if name != "y"}
        chunks["in/v"] = own
    expected = []
    for axis, name in enumerate(("time", "x")):
        levels: list[Any] = [own, group, everywhere]
        named = [{name: own[axis]}, group, everywhere] if isinstance(own, tuple) else levels
        keeps = [level is None or (not level and level is not everywhere) for level in named]
        size = None
        for level, keep in zip(named, keeps, strict=True):
            if keep or name in level or ... in level:
                size = None if keep else level.get(name, level.get(...))
                break
        expected.append(size)
    assert found(chunks)["in/v"] == (tuple(expected) if any(expected) else None)


axes = st.lists(
    st.tuples(
        st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([None, -1, 3, "auto", "size"])
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=300)
@given(axes, st.integers(1, 16), st.integers(1, 10**7), st.integers(1, 10**7))
def test_size_targets_are_met_within_a_factor_of_two(
    given_axes: list[tuple[int, int, Any]], itemsize: int, target: int, limit: int
) -> None:
    shape, default, requested = zip(*given_axes, strict=True)
    chunks = tuple(f"{target}B" if size == "size" else size for size in requested)
    named = "size" in requested
    nbytes = target if named else limit
    free = [isinstance(size, str) for size in chunks]
    lengths = [n if cut else 1 for n, cut in zip(shape, free, strict=True)]
    fixed = normalize_chunks(
        tuple(1 if cut else size for size, cut in zip(chunks, free, strict=True)),
        shape,
        None,
        default,
    )
    least = prod(fixed) * itemsize
    arguments: dict[str, Any] = {"itemsize": itemsize, "limit": limit}
    if named and least > 2 * nbytes:
        with pytest.raises(ValueError, match="give more bytes"):
            normalize_chunks(chunks, shape, None, default, **arguments)
        return
    result = normalize_chunks(chunks, shape, None, default, **arguments)
    size = prod(result) * itemsize
    assert size <= max(nbytes, least)
    assert 2 * size > nbytes or size == least * prod(lengths) or not any(free)
    assert [n for n, cut in zip(result, free, strict=True) if not cut] == [
        n for n, cut in zip(fixed, free, strict=True) if not cut
    ]


@given(axes, st.integers(1, 16), st.integers(1, 10**7))
def test_scaled_shards_hold_whole_chunks_and_no_more_bytes(
    given_axes: list[tuple[int, int, Any]], itemsize: int, limit: int
) -> None:
    shape, shards, _ = zip(*given_axes, strict=True)
    chunks = tuple(max(1, n // 7) for n in shape)
    result = scaled_shards(shards, chunks, shape, itemsize, limit)
    if result is not None:
        assert all(n % c == 0 for n, c in zip(result, chunks, strict=True))
        assert prod(result) * itemsize <= min(limit, prod(shards) * itemsize)
        assert prod(result) > prod(chunks)


@settings(max_examples=300)
@given(axes, st.integers(1, 16), st.integers(1, 10**8), st.booleans())
def test_shards_of_bytes_are_met_within_a_factor_of_two(
    given_axes: list[tuple[int, int, Any]], itemsize: int, nbytes: int, named: bool
) -> None:
    shape, default, requested = zip(*given_axes, strict=True)
    chunks = tuple(min(n, size) for n, size in zip(shape, default, strict=True))
    asked = f"{nbytes}B" if named else "auto"
    shards = tuple(size if size in (None, -1) else asked for size in requested)
    whole = [-(-n // chunk) * chunk for n, chunk in zip(shape, chunks, strict=True)]
    ranges = [
        (n, n) if size == -1 else (chunk, chunk if size is None else n)
        for size, n, chunk in zip(shards, whole, chunks, strict=True)
    ]
    least, most = (prod(bounds) * itemsize for bounds in zip(*ranges, strict=True))
    arguments: dict[str, Any] = {"itemsize": itemsize, "limit": nbytes}
    if named and asked in shards and least > 2 * nbytes:
        with pytest.raises(ValueError, match="give more bytes"):
            normalize_shards(shards, chunks, shape, **arguments)
        return
    result = normalize_shards(shards, chunks, shape, **arguments)
    assert all(size % chunk == 0 for size, chunk in zip(result, chunks, strict=True))
    size = prod(result) * itemsize
    assert least <= size <= max(nbytes, least)
    assert 2 * size > nbytes or size == most


MIB = 2**20
CODECS: list[dict[str, Any]] = [
    {"zarr_format": 2, "compressors": None},
    {"zarr_format": 2, "compressors": numcodecs.Zstd(3)},
    {"compressors": None},
    {"compressors": zarr.codecs.BloscCodec()},
    {"compressors": zarr.codecs.ZstdCodec()},
    {"compressors": zarr.codecs.GzipCodec(), "filters": zarr.codecs.TransposeCodec(order=(1, 0))},
]
auto_sizes = st.sampled_from(["auto", "auto", -1, None, 7])
auto_requests = st.just("auto") | st.tuples(auto_sizes, auto_sizes)


def planned_auto(
    source: zarr.Array[Any], chunks: Any, max_mem: int, *, sharded: bool
) -> rechunker.Rechunked[zarr.Array[Any]]:
    options = {"shards": "auto"} if sharded else None
    return rechunker.rechunk(source, chunks, max_mem, {}, options, temp_store={}, executor="python")


@given(
    st.tuples(st.integers(1, 4000), st.integers(1, 3000)),
    st.tuples(st.integers(1, 300), st.integers(1, 300)),
    st.sampled_from(["u1", "i2", "f8"]),
    st.sampled_from(CODECS),
    auto_requests,
    st.integers(50_000, 20 * MIB) | st.just(4 * 2**30),
    st.booleans(),
)
def test_auto_is_as_large_as_memory_holds(
    shape: tuple[int, int],
    chunks: tuple[int, int],
    dtype: str,
    codecs: dict[str, Any],
    request: Any,
    max_mem: int,
    sharded: bool,
) -> None:
    """There is a plan with "auto" if there is one with the least sizes in its place."""
    sharded = sharded and codecs.get("zarr_format") != 2
    source = zarr.create_array({}, shape=shape, chunks=chunks, dtype=dtype, **codecs)
    asked = (request,) * 2 if request == "auto" else request
    least = tuple(1 if size == "auto" else size for size in asked)
    try:
        plan = planned_auto(source, request, max_mem, sharded=sharded)
    except rechunker.MemoryLimitError:
        with pytest.raises(rechunker.MemoryLimitError):
            planned_auto(source, least, max_mem, sharded=sharded)
        return
    (found,) = plan.copy_plan.values()
    assert found.peak_memory <= max_mem
    target: Any = plan.target
    nbytes = prod(target.shards or target.chunks) * source.dtype.itemsize
    assert nbytes <= found.stages[-1].memory
    # Not needlessly small either; but compressors may need most of a small memory for themselves.
    small_source = 40 * prod(chunks) * source.dtype.itemsize < max_mem
    if asked == ("auto", "auto") and small_source and codecs["compressors"] is None:
        assert nbytes > min(max_mem, 8 * 10**8) // 40 or target.chunks == shape


@pytest.mark.parametrize(
    ("chunks", "options", "most"),
    [((1000, 1000), None, 1), ({}, None, 1), ("auto", None, 2), ((1000, -1), "auto", 2)],
)
def test_a_source_is_looked_at_once_where_nothing_can_be_smaller(
    monkeypatch: pytest.MonkeyPatch, chunks: Any, options: Any, most: int
) -> None:
    source = zarr.create_array({}, shape=(1000, 1000), chunks=(1000, 1000), dtype="f8")
    looks: list[Any] = []
    look: Any = vars(rechunker.api)["hierarchy_of"]

    def counted(*arguments: Any) -> Any:
        looks.append(arguments)
        return look(*arguments)

    monkeypatch.setattr(rechunker.api, "hierarchy_of", counted)
    given_options = {"shards": options} if options else None
    with pytest.raises(rechunker.MemoryLimitError):
        rechunker.rechunk(source, chunks, "100kB", {}, given_options, {}, executor="python")
    assert len(looks) == 1 if most == 1 else len(looks) >= most


def test_what_is_left_out_is_said() -> None:
    group = zarr.create_group(MemoryStore())
    for name in "abcdefghijklm":
        group.create_array(name, shape=(4,), dtype="i4")
    one = rechunker.rechunk(group, {"a": (2,)}, "1MB", {}, executor="python")
    assert one.left_out == tuple("bcdefghijklm")
    assert "* Left out    : b, c, d, e, f, g, h, i, j, k and 2 more" in repr(one)
    assert "Left out" in one._repr_html_()
    everything = rechunker.rechunk(group, None, "1MB", {}, executor="python")
    assert not everything.left_out
    assert "Left out" not in repr(everything)


def test_all_kinds_of_sources_understand_the_same(tmp_path: Path) -> None:
    made = xr.Dataset(
        {"v": (("time", "x"), np.arange(4800.0).reshape(48, 100))}, {"time": np.arange(48)}
    )
    made.to_zarr(tmp_path / "s", encoding={"v": {"chunks": (4, 100)}}, consolidated=False)
    tree = xr.DataTree.from_dict({"/": made})
    dataset = xr.open_zarr(tmp_path / "s", consolidated=False)
    sources: list[Any] = [zarr.open_group(tmp_path / "s", mode="r"), made, dataset, tree]
    cases: list[tuple[Any, tuple[int, int]]] = [
        ({"time": -1, "x": 5}, (48, 5)),
        ({"time": -1, ...: "2kB"}, (48, 5)),
        ({"time": -1, "v": {"x": 7}, "lat": None}, (48, 7)),
        ({"v*": ("auto", 10)}, (48, 10)),
    ]
    for chunks, expected in cases:
        for source in sources:
            with about(chunks, type(source)):
                plan = rechunker.rechunk(source, chunks, "1MB", {}, executor="python")
                target: Any = plan.execute()
                assert target["v"].chunks == expected
                assert "time" not in target or target["time"].chunks == (48,)
        with about(chunks):
            array = sources[0]["v"]
            own = chunks.get("v*") or {**chunks, **chunks.get("v", {}), "v": None}
            alone: Any = rechunker.rechunk(array, own, "1MB", {}, executor="python").target
            assert alone.chunks == expected


def test_shards_of_the_source_are_kept_and_scaled(tmp_path: Path) -> None:
    options: dict[str, Any] = {"shards": (20, 40), "chunks": (4, 40), "dtype": "f8"}
    names = ("y", "x")
    group = zarr.create_group(tmp_path / "s")
    group.create_array("v", shape=(80, 80), dimension_names=names, **options)[...] = 5
    dataset = xr.open_zarr(tmp_path / "s", consolidated=False)
    cases: list[tuple[Any, Any, Any, Any]] = [
        (None, None, (4, 40), (20, 40)),
        ({"y": 10, "x": 4}, None, (10, 4), (20, 40)),
        ({"y": 7, "x": 30}, None, (7, 30), (21, 30)),
        ({"y": -1, "x": 40}, None, (80, 40), None),
        ({"y": 10, "x": 4}, {"shards": None}, (10, 4), None),
        ({"y": 10, "x": 4}, {"shards": {"y": -1}}, (10, 4), (80, 4)),
        ({"y": 10, "x": 4}, {"shards": {"y": -1, ...: "10kB"}}, (10, 4), (80, 12)),
        ({"y": 10, "x": 4}, {"shards": "auto"}, (10, 4), (80, 80)),
        ({"y": 10, "x": 4}, {"shards": "7kB"}, (10, 4), (50, 16)),
    ]
    for chunks, own, expected_chunks, expected_shards in cases:
        for source in (group["v"], group, dataset):
            given = own if isinstance(source, zarr.Array) or own is None else {"*": own}
            with about(chunks, own, type(source)):
                made: Any = rechunker.rechunk(source, chunks, "8MB", {}, given, executor="python")
                target = made.execute()
                array = target if isinstance(target, zarr.Array) else target["v"]
                assert (array.chunks, array.shards) == (expected_chunks, expected_shards)
                assert np.all(array[...] == 5)


def test_options_may_be_given_for_all_arrays(tmp_path: Path) -> None:
    made = xr.Dataset({"v": (("y", "x"), np.ones((6, 4))), "w": ("y", np.ones(6))})
    made.to_zarr(tmp_path / "s", zarr_format=2, consolidated=False)
    group = zarr.open_group(tmp_path / "s", mode="r")
    dataset = xr.open_zarr(tmp_path / "s", consolidated=False)
    tree = xr.DataTree.from_dict({"/": dataset})
    sources: list[Any] = [group, dataset, tree]
    for key in ("*", ..., "[vw]"):
        for source in sources:
            options = {key: {"compressor": None}, "w": {"compressors": numcodecs.GZip(2)}}
            plan = rechunker.rechunk(source, {"x": 2}, "1MB", {}, options, executor="python")
            target: Any = plan.execute()
            with about(key, type(source)):
                assert target["v"].compressors == ()
                assert target["w"].compressors == (numcodecs.GZip(2),)


def test_one_variable_may_be_replaced(tmp_path: Path) -> None:
    made = xr.Dataset({"v": (("y", "x"), np.ones((6, 4)))})
    for source in (made, xr.DataTree.from_dict({"/": made})):
        there = zarr.open_group(tmp_path / "t", mode="w")
        there.create_array("v", shape=(2,), dtype="i4")
        there.create_array("mine", shape=(2,), dtype="i4")
        with pytest.raises(FileExistsError, match="t/v"):
            rechunker.rechunk(source, {"x": 2}, "1MB", there, executor="python")
        options = {"v": {"overwrite": True}}
        rechunker.rechunk(source, {"x": 2}, "1MB", there, options, executor="python").execute()
        again: Any = zarr.open_group(tmp_path / "t", mode="r")
        assert again["v"].shape == (6, 4)
        assert "mine" in again


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_of_a_dataset_are_named_as_in_its_store(tmp_path: Path, zarr_format: Any) -> None:
    separator = "/" if zarr_format == 2 else "."
    group = zarr.create_group(tmp_path / "s", zarr_format=zarr_format)
    for name, dims in {"v": ["y", "x"], "x": ["x"]}.items():
        attributes: dict[str, Any] = {"_ARRAY_DIMENSIONS": dims} if zarr_format == 2 else {}
        group.create_array(
            name,
            shape=(8,) * len(dims),
            chunks=(2,) * len(dims),
            dtype="f4",
            chunk_key_encoding={"name": "v2", "separator": separator},
            attributes=attributes,
            dimension_names=dims if zarr_format == 3 else None,
        )[...] = 3
    dataset = xr.open_zarr(tmp_path / "s", consolidated=False)
    computed = dataset + 1
    computed["v"].encoding = dataset["v"].encoding
    for source in (dataset, computed):
        options = {"zarr_format": zarr_format}
        plan = rechunker.rechunk(source, {"y": 8}, "1MB", {}, options, executor="python")
        for array in plan.execute().arrays():
            metadata = array[1].metadata
            kept = getattr(metadata, "chunk_key_encoding", metadata)
            found = getattr(kept, "separator", getattr(kept, "dimension_separator", None))
            assert found == separator, array[0]


def test_options_of_temporary_objects_are_checked_without_a_temp_store() -> None:
    array = zarr.create_array({}, shape=(8,), chunks=(2,), dtype="f4")
    group = zarr.create_group({})
    group.create_array("v", shape=(8,), chunks=(2,), dtype="f4")
    dataset = xr.Dataset({"v": ("x", np.ones(8))})
    cases: list[tuple[Any, Any, type[Exception], str]] = [
        (array, {"compresor": None}, ValueError, "temp_options: 'compresor'.*mean 'compressor'"),
        (array, 3, TypeError, "temp_options must be a dict"),
        (group, {"v": {"compresor": None}}, ValueError, r"temp_options\['v'\]: 'compresor'"),
        (group, {"w": {}}, ValueError, "temp_options: the source has no 'w'"),
        (group, {"*": 3}, TypeError, r"temp_options\['\*'\] must be a dict"),
        (dataset, {"w": {}}, ValueError, "temp_options: the source has no 'w'"),
        (dataset, 3, TypeError, "temp_options must be a dict"),
    ]
    for source, options, error, message in cases:
        with about(options), pytest.raises(error, match=message):
            rechunker.rechunk(source, None, "1MB", {}, temp_options=options, executor="python")
