"""Chunks that are encoded without Zarr are those that Zarr reads and writes."""

from __future__ import annotations

import asyncio
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numcodecs
import numpy as np
import numpy.typing as npt
import pytest
import zarr
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, TransposeCodec, ZstdCodec

from rechunker.copying.codecs import chunk_codec
from rechunker.copying.codecs.chunk import ZarrCodec
from rechunker.copying.codecs.direct import DirectCodec
from rechunker.copying.codecs.workspace import workspace_of
from rechunker.metadata import document_of
from rechunker.scratch import Scratch

V2: dict[str, dict[str, Any]] = {
    "raw": {"compressors": None},
    "blosc": {"compressors": numcodecs.Blosc("lz4", shuffle=1)},
    "blosc-auto": {"compressors": numcodecs.Blosc("zstd", shuffle=-1)},
    "zstd": {"compressors": numcodecs.Zstd(3)},
    "gzip": {"compressors": numcodecs.GZip(1)},
    "zlib": {"compressors": numcodecs.Zlib(1)},
    "lz4": {"compressors": numcodecs.LZ4()},
    "bz2": {"compressors": numcodecs.BZ2()},
    "lzma": {"compressors": numcodecs.LZMA()},
    "order F": {"compressors": numcodecs.Blosc(), "order": "F"},
}
V3: dict[str, dict[str, Any]] = {
    "raw": {"compressors": None},
    "big": {"compressors": None, "serializer": BytesCodec(endian="big")},
    "blosc": {"compressors": BloscCodec(cname="lz4", shuffle="shuffle")},
    "blosc-auto": {"compressors": BloscCodec()},
    "blosc-bytes": {"compressors": BloscCodec(typesize=1, shuffle="bitshuffle")},
    "zstd": {"compressors": ZstdCodec(level=3, checksum=True)},
    "gzip": {"compressors": GzipCodec(level=1)},
    "transposed": {"filters": TransposeCodec(order=(2, 1, 0))},
}
FILTERS: dict[str, tuple[str, list[Any]]] = {
    "scaled": ("f8", [numcodecs.FixedScaleOffset(offset=3, scale=10, dtype="f8", astype="i2")]),
    "scaled, big-endian": (">f4", [numcodecs.FixedScaleOffset(1, 10, ">f4", ">i4")]),
    "differences": ("i4", [numcodecs.Delta("i4")]),
    "small differences": ("i4", [numcodecs.Delta("i4", astype="i1")]),
    "two digits": ("f4", [numcodecs.Quantize(2, "f4")]),
    "eight bits": ("f4", [numcodecs.BitRound(8)]),
    "another type": ("f8", [numcodecs.AsType("f4", "f8")]),
    "shuffled": ("i8", [numcodecs.Shuffle(8)]),
    "three": (
        "f8",
        [
            numcodecs.FixedScaleOffset(0, 10, "f8", "i4"),
            numcodecs.Delta("i4"),
            numcodecs.Shuffle(4),
        ],
    ),
}
WAYS = [(2, V2[name]) for name in V2] + [(3, V3[name]) for name in V3]
IDS = [f"v2 {name}" for name in V2] + [f"v3 {name}" for name in V3]
every_way = pytest.mark.parametrize(("zarr_format", "options"), WAYS, ids=IDS)
DTYPES = ["?", "u1", "i2", "f4", "f8", "c16"]


@pytest.fixture(autouse=True)
def moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock: gzip writes the second into what it compresses."""
    monkeypatch.setattr("gzip.time.time", lambda: 1e9)


def one_chunk(zarr_format: Any, dtype: str, options: dict[str, Any]) -> zarr.Array[Any]:
    shape = (3, 5, 4)
    array = zarr.create_array(
        {}, shape=shape, chunks=shape, dtype=dtype, zarr_format=zarr_format, **options
    )
    raw = np.random.default_rng(1).integers(0, 2, (*shape, array.dtype.itemsize), np.uint8)
    array[...] = raw.view(array.dtype)[..., 0]
    return array


def stored(array: zarr.Array[Any]) -> Any:
    """Return the bytes of the only chunk."""
    objects = array.store._store_dict  # type: ignore[attr-defined]
    return next(value for key, value in objects.items() if key in ("0.0.0", "c/0/0/0"))


@every_way
def test_direct_codec_reads_and_writes_what_zarr_does(
    zarr_format: int, options: dict[str, Any]
) -> None:
    for dtype in DTYPES:
        array = one_chunk(zarr_format, dtype, options)
        codec = chunk_codec(document_of(array), array.dtype.itemsize)
        assert isinstance(codec, DirectCodec), dtype
        ((start, chunk),) = codec.decode(stored(array).as_numpy_array(), Scratch())
        np.testing.assert_array_equal(chunk, array[...], err_msg=dtype)
        assert start == (0, 0, 0), dtype
        encoded = codec.encode(np.ascontiguousarray(chunk), Scratch()).to_bytes()
        assert encoded == stored(array).to_bytes(), dtype


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("compressor", [None, numcodecs.Blosc("lz4"), numcodecs.GZip(1)])
@pytest.mark.parametrize("chain", FILTERS)
def test_filters_do_what_they_do_in_zarr(chain: str, compressor: Any, order: Any) -> None:
    dtype, filters = FILTERS[chain]
    array = zarr.create_array(
        {},
        shape=(3, 5, 4),
        chunks=(3, 5, 4),
        dtype=dtype,
        zarr_format=2,
        filters=filters,
        compressors=compressor,
        order=order,
    )
    array[...] = np.random.default_rng(1).integers(0, 50, array.shape) / 4
    codec = chunk_codec(document_of(array), array.dtype.itemsize)
    assert isinstance(codec, DirectCodec)
    chunk = only_piece(codec, stored(array))
    assert chunk.dtype == array.dtype
    np.testing.assert_array_equal(chunk, array[...])
    array[...] = chunk  # some filters lose digits each time
    encoded = codec.encode(np.ascontiguousarray(chunk), Scratch())
    if (chain, order) != ("eight bits", "F"):  # which Zarr writes in the wrong order
        assert encoded.to_bytes() == stored(array).to_bytes()
    np.testing.assert_array_equal(only_piece(codec, encoded), chunk)


def only_piece(codec: DirectCodec, content: Any) -> Any:
    """Return the elements of a chunk."""
    ((_, chunk),) = codec.decode(content.as_numpy_array(), Scratch())
    return chunk.copy()


@every_way
def test_zarr_codec_reads_and_writes_what_zarr_does(
    zarr_format: int, options: dict[str, Any]
) -> None:
    for dtype in DTYPES:
        array = one_chunk(zarr_format, dtype, options)
        codec = ZarrCodec.of(document_of(array), array.dtype.itemsize)
        ((_, chunk),) = codec.decode(stored(array).as_numpy_array(), Scratch())
        np.testing.assert_array_equal(chunk, array[...], err_msg=dtype)
        assert codec.encode(chunk, Scratch()).to_bytes() == stored(array).to_bytes(), dtype


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "S5", "shards": (4, 8)},
        {"dtype": "S5"},
        {"dtype": "i4", "filters": TransposeCodec(order=(0, 1))},
        {"dtype": "bool", "filters": numcodecs.PackBits(), "zarr_format": 2},
        {"dtype": "i4", "filters": numcodecs.Zlib(), "zarr_format": 2},
    ],
)
@pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
def test_all_else_is_left_to_zarr(options: dict[str, Any]) -> None:
    array = zarr.create_array({}, shape=(4, 8), chunks=(2, 4), **options)
    assert isinstance(chunk_codec(document_of(array), 5), ZarrCodec)


def test_shards_are_decoded_inner_chunk_by_inner_chunk() -> None:
    array = zarr.create_array({}, shape=(4, 8), chunks=(2, 4), shards=(4, 8), dtype="i4")
    array[...] = np.arange(32).reshape(4, 8)
    codec = chunk_codec(document_of(array), 4)
    raw = array.store._store_dict["c/0/0"].as_numpy_array()  # type: ignore[attr-defined]
    pieces = {start: part.copy() for start, part in codec.decode(raw, Scratch())}
    assert sorted(pieces) == [(0, 0), (0, 4), (2, 0), (2, 4)]
    np.testing.assert_array_equal(pieces[2, 4], array[2:4, 4:8])
    assert not codec.whole


def test_decoding_in_threads_leaves_the_filters_of_warnings_alone() -> None:
    array = zarr.create_array({}, shape=(20, 20), chunks=(2, 2), shards=(20, 20), dtype="i4")
    array[...] = np.arange(400).reshape(20, 20)
    codec = chunk_codec(document_of(array), 4)
    raw = array.store._store_dict["c/0/0"].as_numpy_array()  # type: ignore[attr-defined]
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: len(list(codec.decode(raw, Scratch()))), range(16)))
    assert found == [100] * 16
    assert list(warnings.filters) == before


class Watched(numcodecs.abc.Codec):  # type: ignore[misc]
    """Copies bytes, and notes the threads in which it does."""

    codec_id = "watched"
    threads: ClassVar[set[int]] = set()

    def encode(self, buf: Any) -> Any:
        self.threads.add(threading.get_ident())
        return np.array(buf).reshape(-1).view(np.uint8)

    decode = encode


def test_zarr_computes_in_the_thread_that_asks() -> None:
    """Threads of Zarr's own would keep the memory of a chunk each, and nobody would count it."""
    numcodecs.register_codec(Watched)
    array = zarr.create_array(
        {}, shape=(4, 6), chunks=(2, 3), dtype="i4,f8", zarr_format=2, compressors=Watched()
    )
    codec = chunk_codec(document_of(array), 12)
    chunk = np.ones((2, 3), "i4,f8")

    def work() -> npt.NDArray[Any]:
        encoded = np.asarray(codec.encode(chunk, Scratch()).as_numpy_array()).view(np.uint8)
        ((_, decoded),) = codec.decode(encoded, Scratch())
        return decoded

    async def in_a_notebook() -> npt.NDArray[Any]:
        return work()

    Watched.threads.clear()
    np.testing.assert_array_equal(work(), chunk)
    assert Watched.threads == {threading.get_ident()}
    np.testing.assert_array_equal(asyncio.run(in_a_notebook()), chunk)


def test_dictionaries_of_lzma_filters_count() -> None:
    def encode(**filters: Any) -> int:
        given = [{"id": 33, "preset": 1, **filters}]
        return workspace_of(numcodecs.LZMA(format=3, filters=given), None, 1000).encode

    assert encode(dict_size=2**26) - encode() >= 11.5 * 2**26
