"""Shards that are encoded and decoded without Zarr are those that Zarr writes and reads."""

from __future__ import annotations

import itertools
import re
import struct
from dataclasses import replace
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.buffer import cpu
from zarr.codecs import (
    BloscCodec,
    BytesCodec,
    Crc32cCodec,
    GzipCodec,
    ShardingCodec,
    TransposeCodec,
    ZstdCodec,
)
from zarr.storage import MemoryStore, StorePath

from rechunker import rechunk
from rechunker.copying import Lane, Lanes, ShardReader, StoredArray, part_of
from rechunker.copying.codecs import chunk_codec
from rechunker.copying.codecs.chunk import ZarrCodec
from rechunker.copying.codecs.shards import ShardCodec
from rechunker.metadata import document_of
from rechunker.planning import Box, block, blocks_meeting
from rechunker.scratch import Scratch

Objects = dict[str, Any]
MISSING = 2**64 - 1

INNER: dict[str, list[Any]] = {
    "raw": [BytesCodec()],
    "big": [BytesCodec(endian="big")],
    "blosc": [BytesCodec(), BloscCodec(cname="lz4", typesize=1)],
    "zstd": [BytesCodec(), ZstdCodec(checksum=True)],
    "gzip": [BytesCodec(), GzipCodec(level=1)],
}
INDEX: dict[str, list[Any]] = {
    "checked": [BytesCodec(), Crc32cCodec()],
    "bare": [BytesCodec()],
    "big, checked": [BytesCodec(endian="big"), Crc32cCodec()],
}


@pytest.fixture(autouse=True, scope="module")
def moment() -> Any:
    """Stop the clock: gzip writes the second into what it compresses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gzip.time.time", lambda: 1e9)
        yield


def create(
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    shards: tuple[int, ...],
    codec: dict[str, Any],
    **options: Any,
) -> tuple[zarr.Array[Any], Objects]:
    """Return an array with shards, and the objects of its store."""
    objects: Objects = {}
    sharding = ShardingCodec(chunk_shape=chunks, **codec)
    array = zarr.create_array(
        MemoryStore(objects),
        shape=shape,
        chunks=shards,
        serializer=sharding,
        compressors=None,
        filters=None,
        **options,
    )
    return array, objects


def codec_of(array: zarr.Array[Any]) -> ShardCodec:
    codec = chunk_codec(document_of(array), array.dtype.itemsize)
    assert isinstance(codec, ShardCodec)
    return codec


def units_of(array: zarr.Array[Any], shards: tuple[int, ...]) -> dict[str, Box]:
    """Return the part of the array that each shard holds, by key."""
    whole = Box((0,) * array.ndim, array.shape)
    indices = list(blocks_meeting(array.shape, shards, whole))
    return {"/".join(map(str, ("c", *i))): block(array.shape, shards, i) for i in indices}


def read(array: zarr.Array[Any], shards: tuple[int, ...], objects: Objects) -> npt.NDArray[Any]:
    """Return the elements of an array, decoded without Zarr."""
    codec, values = codec_of(array), np.full(array.shape, array.fill_value, array.dtype)
    scratch = Scratch()
    for key, unit in units_of(array, shards).items():
        if key in objects:
            raw, part = objects[key].as_numpy_array(), unit.from_origin(unit.start)
            for start, piece in codec.decode(raw, scratch, part):
                first = tuple(o + s for o, s in zip(unit.start, start, strict=True))
                inside = Box(first, tuple(map(sum, zip(first, piece.shape, strict=True)))) & unit
                values[inside.slices((0,) * array.ndim)] = piece[inside.slices(first)]
    return values


@st.composite
def geometries(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    ndim = draw(st.integers(1, 3))
    sizes = st.lists(st.integers(1, 4), min_size=ndim, max_size=ndim)
    chunks, counts, extra = draw(sizes), draw(sizes), draw(sizes)
    shards = tuple(n * c for n, c in zip(chunks, counts, strict=True))
    shape = tuple(max(1, n + e - 2) for n, e in zip(shards, extra, strict=True))
    return shape, tuple(chunks), shards


@given(
    geometry=geometries(),
    inner=st.sampled_from(sorted(INNER)),
    transposed=st.booleans(),
    index=st.sampled_from(sorted(INDEX)),
    location=st.sampled_from(["start", "end"]),
    dtype=st.sampled_from(["?", "i2", "f4", "f8", "c16"]),
    fill=st.sampled_from([0, 1]),
    write_empty=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_shards_are_bit_for_bit_those_of_zarr(
    geometry: Any,
    inner: str,
    transposed: bool,
    index: str,
    location: Any,
    dtype: str,
    fill: int,
    write_empty: bool,
    seed: int,
) -> None:
    shape, chunks, shards = geometry
    codecs = INNER[inner]
    if transposed:
        codecs = [TransposeCodec(order=tuple(range(len(shape)))[::-1]), *codecs]
    codec = {"codecs": codecs, "index_codecs": INDEX[index], "index_location": location}
    array, objects = create(shape, chunks, shards, codec, dtype=dtype, fill_value=fill)
    array = array.with_config({"write_empty_chunks": write_empty})
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 2, shape).astype(dtype)
    # Most inner chunks hold the fill value alone: some of them are missing, or whole shards are.
    for at in itertools.product(*(range(0, n, w) for n, w in zip(shape, chunks, strict=True))):
        if rng.random() < 0.6:
            values[tuple(slice(i, i + w) for i, w in zip(at, chunks, strict=True))] = fill
    array[...] = values
    written: Objects = {"zarr.json": objects["zarr.json"]}
    for key, unit in units_of(array, shards).items():
        if key not in objects:
            assert not write_empty
            assert (values[unit.slices((0,) * len(shape))] == fill).all()
            continue
        chunk = np.full(shards, fill, dtype)
        chunk[tuple(map(slice, unit.shape))] = values[unit.slices((0,) * len(shape))]
        found = codec_of(array).encode(chunk, Scratch(), extent=unit.shape, write_empty=write_empty)
        assert found.to_bytes() == objects[key].to_bytes(), key
        written[key] = found
    np.testing.assert_array_equal(zarr.open_array(MemoryStore(written))[...], values)
    np.testing.assert_array_equal(read(array, shards, objects), values)


def test_bits_that_equal_the_fill_value_are_kept() -> None:
    """Zarr leaves out inner chunks of -0j, and of other NaNs than that of the fill value."""
    array, _ = create((4,), (2,), (4,), {}, dtype="c8", fill_value=0)
    chunk = np.array([0, 0, complex(0.0, -0.0), 0], "c8")
    encoded = codec_of(array).encode(chunk, Scratch(), write_empty=False).as_numpy_array()
    pieces = {start: piece.copy() for start, piece in codec_of(array).decode(encoded, Scratch())}
    assert pieces[2,].tobytes() == chunk[2:].tobytes()
    assert encoded.size == 16 + 2 * 16 + 4


def test_only_the_inner_chunks_of_a_part_are_decoded() -> None:
    array, objects = create((4, 6), (2, 2), (4, 6), {}, dtype="i4", fill_value=0)
    array[...] = np.arange(1, 25).reshape(4, 6)
    raw = objects["c/0/0"].as_numpy_array()
    for codec in (codec_of(array), ZarrCodec.of(document_of(array), 4)):
        pieces = list(codec.decode(raw, Scratch(), Box((1, 3), (2, 5))))
        assert [start for start, _ in pieces] == [(0, 2), (0, 4)]


@pytest.mark.parametrize(
    "codec",
    [
        {"codecs": [BytesCodec(), Crc32cCodec()]},
        {"codecs": [ShardingCodec(chunk_shape=(1,))]},
        {"codecs": [TransposeCodec(order=(0,)), BytesCodec(), GzipCodec(), ZstdCodec()]},
        {"index_codecs": [BytesCodec(), Crc32cCodec(), Crc32cCodec()]},
    ],
)
def test_odd_shards_are_left_to_zarr(codec: dict[str, Any]) -> None:
    array, objects = create((8,), (2,), (4,), codec, dtype="i4", fill_value=0)
    array[...] = [1, 2, 0, 0, 3, 4, 5, 6]
    found = chunk_codec(document_of(array), 4)
    assert isinstance(found, ZarrCodec)
    chunk = np.array([1, 2, 0, 0], "i4")
    encoded = found.encode(chunk, Scratch(), write_empty=False).to_bytes()
    assert encoded == objects["c/0"].to_bytes()


@pytest.mark.parametrize("write_empty", [False, True])
def test_a_rechunked_array_has_the_shards_that_zarr_writes(write_empty: bool) -> None:
    values = np.random.default_rng(1).integers(1, 9, (13, 11)).astype("f4")
    values[:6, :5] = values[9:, 8:] = 0
    source, _ = create((13, 11), (2, 3), (8, 6), {}, dtype="f4", fill_value=0)
    source[...] = values
    found: Objects = {}
    options = {"shards": (6, 8), "compressors": ZstdCodec(), "write_empty_chunks": write_empty}
    plan = rechunk(source, (3, 2), "9kB", found, target_options=options, executor="python")
    target = plan.execute(verify=True)
    expected: Objects = {}
    config: Any = {"write_empty_chunks": write_empty}
    document = document_of(target)
    made = zarr.Array.from_dict(StorePath(MemoryStore(expected)), document).with_config(config)
    made[...] = values
    found.pop("zarr.json")
    assert contents(found) == contents(expected)
    assert plan.report is not None
    (stage,) = (stage for stage in plan.report.stages if stage.predicted is not None)
    predicted, executed = stage.predicted, stage.executed
    assert predicted is not None
    assert executed is not None
    for name in ("tasks", "gets", "bytes_read"):
        assert getattr(executed, name) == getattr(predicted, name), name
    assert (executed.empty > 0) == (not write_empty)
    assert executed.puts + executed.empty == predicted.puts


def contents(objects: Objects) -> dict[str, bytes]:
    return {key: value.to_bytes() for key, value in objects.items()}


# Damaged shards.

SHAPE, CHUNKS, SHARDS = (6, 7), (2, 3), (4, 6)
DAMAGED = {name: codecs for name, codecs in INNER.items() if name != "blosc"}
# Where Zarr takes what is damaged for something else without a word, an error is raised: zarr 3.1.6
# takes an empty object or inner chunk for a missing one, and any Zarr reads a range as far as it
# lies in the shard.
SILENT = re.compile(r"\bhas 0 bytes|is empty|the index says that it takes")


def table_of(shard: bytearray, codec: dict[str, Any]) -> tuple[int, str]:
    """Return where the index of a shard begins, and the format of its integers."""
    size = 16 * 4 + 4 * (len(codec["index_codecs"]) == 2)
    first = 0 if codec["index_location"] == "start" else len(shard) - size
    endian = codec["index_codecs"][0].to_dict()["configuration"]["endian"]
    return first, ">" if endian == "big" else "<"


def with_entry(shard: bytearray, codec: dict[str, Any], rng: Any) -> bytearray:
    """Change a number of the index, and its checksum with it."""
    first, byte_order = table_of(shard, codec)
    place = first + 8 * int(rng.integers(8))
    (number,) = struct.unpack_from(f"{byte_order}Q", shard, place)
    near = [number + int(rng.integers(-9, 10)), int(rng.integers(len(shard) + 9)), 0]
    far = [MISSING, MISSING - 1, 2**63, MISSING - number, len(shard), 10**12]
    hostile = (near + far)[int(rng.integers(9))]
    struct.pack_into(f"{byte_order}Q", shard, place, hostile % 2**64)
    if len(codec["index_codecs"]) == 2:
        checksum = google_crc32c.value(bytes(shard[first : first + 64]))
        shard[first + 64 : first + 68] = struct.pack("<I", checksum)
    return shard


def damaged(shard: bytearray, codec: dict[str, Any], rng: Any) -> bytearray:
    kind = rng.integers(6)
    if kind == 0:
        return shard[: int(rng.integers(len(shard)))]
    if kind == 1:
        return shard[int(rng.integers(len(shard))) :]
    if kind == 2:
        shard[int(rng.integers(len(shard)))] ^= 1 << int(rng.integers(8))
        return shard
    if kind == 3:
        return shard + bytes(int(rng.integers(1, 30)))
    for _ in range(int(rng.integers(1, 4))):
        shard = with_entry(shard, codec, rng)
    return shard


# What NumPy says when Zarr adds offset and size.
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize("inner", DAMAGED)
def test_damaged_shards_are_what_they_are_for_zarr(inner: str) -> None:
    wrong, raised = [], 0
    values = np.random.default_rng(1).integers(0, 99, SHAPE)
    values[2:4, :3] = 7  # a missing inner chunk
    for index, location in itertools.product(INDEX.values(), ("start", "end")):
        codec: dict[str, Any] = {
            "codecs": DAMAGED[inner],
            "index_codecs": index,
            "index_location": location,
        }
        array, objects = create(SHAPE, CHUNKS, SHARDS, codec, dtype="i4", fill_value=7)
        array[...] = values
        good = dict(objects)
        for seed, key in enumerate([*units_of(array, SHARDS)] * 5):
            content = damaged(bytearray(good[key].to_bytes()), codec, np.random.default_rng(seed))
            objects.update({**good, key: cpu.Buffer.from_bytes(bytes(content))})
            expected = attempt(lambda: array[...])  # noqa: B023
            found = attempt(lambda: read(array, SHARDS, objects))  # noqa: B023
            seen = attempt(lambda: check(array, SHARDS, objects))  # noqa: B023
            ranged = attempt(lambda: read_parts(array))  # noqa: B023
            raised += isinstance(found, Exception)
            if differs(found, expected) or not agrees(seen, found, inner):
                wrong.append((seed, key, location, found, expected))
            if differs(ranged, expected):
                wrong.append((seed, key, location, ranged, expected))
    assert not wrong
    assert 40 < raised < 110


def read_parts(array: zarr.Array[Any]) -> npt.NDArray[Any]:
    """Return the elements of an array, of whose shards the index is read, and then the chunks."""
    stored = StoredArray.of(array.store_path, document_of(array), array.dtype.itemsize)
    reader, whole = ShardReader.of(stored), Box((0,) * array.ndim, array.shape)
    assert reader is not None
    values = np.empty(array.shape, array.dtype)

    def put(start: tuple[int, ...], data: npt.NDArray[Any], lane: Lane) -> None:
        part, piece = part_of(start, data, whole)
        values[part.slices((0,) * array.ndim)] = piece

    with Lanes(1) as lanes:
        shards = blocks_meeting(array.shape, reader.grid, whole)
        replace(reader, at_once=100).each(shards, whole, lanes, put)
    return values


def check(array: zarr.Array[Any], shards: tuple[int, ...], objects: Objects) -> None:
    """Check every shard as one that is copied without decoding it."""
    for key, unit in units_of(array, shards).items():
        codec_of(array).check(objects[key].as_numpy_array(), unit.from_origin(unit.start))


def agrees(seen: Any, found: Any, inner: str) -> bool:
    """Return whether a check saw what decoding finds, as far as it can be seen."""
    is_error, is_seen = isinstance(found, Exception), isinstance(seen, Exception)
    return is_seen == is_error if inner in ("raw", "big") else is_error or not is_seen


def attempt(function: Any) -> Any:
    try:
        return function()
    except Exception as error:  # noqa: BLE001, whatever it is
        return error


def differs(found: Any, expected: Any) -> bool:
    """Return whether what is found is not what Zarr finds, nor an error that is due."""
    if isinstance(found, Exception):
        return not isinstance(expected, Exception) and not SILENT.search(str(found))
    return isinstance(expected, Exception) or not np.array_equal(found, expected)
