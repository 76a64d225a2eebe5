"""A stored object that is not exactly one chunk is an error, as it is for Zarr."""

from __future__ import annotations

from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.buffer import cpu
from zarr.codecs import BloscCodec, BytesCodec, GzipCodec, TransposeCodec, ZstdCodec
from zarr.storage import MemoryStore

from rechunker import rechunk
from rechunker.copying import CopyError
from rechunker.copying.codecs import byte_codec
from rechunker.scratch import Scratch

SHAPE, CHUNKS = (12, 20), (4, 20)
V2: dict[str, Any] = {
    "blosc": numcodecs.Blosc(),
    "blosc zstd": numcodecs.Blosc("zstd", 5, numcodecs.Blosc.BITSHUFFLE),
    "bz2": numcodecs.BZ2(),
    "gzip": numcodecs.GZip(),
    "lz4": numcodecs.LZ4(),
    "lzma": numcodecs.LZMA(),
    "none": None,
    "zlib": numcodecs.Zlib(),
    "zstd": numcodecs.Zstd(),
}
ENCODINGS: dict[str, dict[str, Any]] = {
    **{f"v2 {name}": {"zarr_format": 2, "compressors": codec} for name, codec in V2.items()},
    "v2 F order": {"zarr_format": 2, "compressors": V2["zstd"], "order": "F"},
    "v2 scaled zstd": {
        "zarr_format": 2,
        "compressors": V2["zstd"],
        "filters": [numcodecs.FixedScaleOffset(0, 10, "f8", "i2")],
    },
    "v2 differences none": {
        "zarr_format": 2,
        "compressors": None,
        "filters": [numcodecs.Delta("i8")],
    },
    "v2 shuffled zlib": {
        "zarr_format": 2,
        "compressors": V2["zlib"],
        "filters": [numcodecs.Shuffle(4)],
    },
    "v3 blosc": {"compressors": BloscCodec(typesize=8)},
    "v3 gzip": {"compressors": GzipCodec()},
    "v3 none": {"compressors": None},
    "v3 big-endian": {"compressors": None, "serializer": BytesCodec(endian="big")},
    "v3 F order": {"compressors": ZstdCodec(), "filters": [TransposeCodec(order=(1, 0))]},
    "v3 zstd": {"compressors": ZstdCodec(checksum=True)},
}
# A plan for each way in which a task holds its box.
TARGETS = {"packed": (12, 10), "padded": (5, 8), "view": (2, 20), "as it is": (4, 20)}


def create(encoding: dict[str, Any], chunks: tuple[int, ...], dtype: str = "f8") -> dict[str, Any]:
    """Return the objects of an array, by key."""
    objects: dict[str, Any] = {}
    array = zarr.create_array(
        MemoryStore(objects), shape=SHAPE, chunks=chunks, dtype=dtype, **encoding
    )
    array[...] = np.random.default_rng(1).integers(1, 99, SHAPE).astype(dtype)
    return objects


def key_of(objects: dict[str, Any]) -> str:
    (key,) = (key for key in objects if key.endswith(("c/1/0", "1.0")))
    return key


def first_chunk(objects: dict[str, Any]) -> bytes:
    (key,) = (key for key in objects if key.endswith(("c/0/0", "0.0")))
    content: bytes = objects[key].to_bytes()
    return content


def damages(encoding: dict[str, Any], good: bytes) -> dict[str, bytes]:
    """Return objects that are not the chunk they stand for, by what happened to it."""
    return {
        "empty": b"",
        "half": good[: len(good) // 2],
        "a shorter chunk": first_chunk(create(encoding, (2, 20))),
        "a longer chunk": first_chunk(create(encoding, (8, 20))),
        "another dtype": first_chunk(create(encoding, CHUNKS, "f4")),
        "bytes behind its end": good + bytes([1, 0, 255]),
        "twice": good + good,
        "nothing but zeros": bytes(len(good)),
    }


def read_by_zarr(objects: dict[str, Any]) -> Any:
    """Return the elements, or None where Zarr raises."""
    try:
        return zarr.open_array(MemoryStore(objects), mode="r")[...]
    except Exception:  # noqa: BLE001, whatever it is
        return None


def rechunked(objects: dict[str, Any], chunks: tuple[int, ...]) -> Any:
    """Return the elements of the target, or the error."""
    source = zarr.open_array(MemoryStore(objects), mode="r")
    try:
        return rechunk(source, chunks, "200MB", {}, executor="python").execute()[...]
    except CopyError as error:
        return error


def differs(found: Any, expected: Any) -> bool:
    if expected is None or isinstance(found, Exception):
        return (expected is None) != isinstance(found, Exception)
    return not np.array_equal(found, expected, equal_nan=True)


# What a filter says of elements that are no numbers of its own.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.parametrize("name", ENCODINGS)
def test_rechunk_raises_exactly_where_zarr_raises(name: str) -> None:
    encoding, wrong = ENCODINGS[name], []
    objects = create(encoding, CHUNKS)
    key = key_of(objects)
    has_header = any(word in name for word in ("blosc", "zstd", "none", "endian", "lz4"))
    seen = {"empty", *(["a shorter chunk", "a longer chunk"] if has_header else [])}
    for damage, content in damages(encoding, objects[key].to_bytes()).items():
        objects[key] = cpu.Buffer.from_bytes(content)
        expected = read_by_zarr(objects)
        for layout, chunks in TARGETS.items():
            # Objects that need not be decoded are copied; their headers alone are looked at.
            unseen = layout == "as it is" and damage not in seen
            if not unseen and differs(rechunked(objects, chunks), expected):
                wrong.append(f"{damage}, {layout}")
    assert not wrong


def test_the_error_names_array_chunk_and_key() -> None:
    objects = create(ENCODINGS["v3 zstd"], CHUNKS)
    objects["c/1/0"] = cpu.Buffer.from_bytes(b"")
    error = rechunked(objects, TARGETS["packed"])
    assert isinstance(error, CopyError)
    assert "chunk (1, 0)" in str(error)
    assert "c/1/0" in str(error)


@pytest.mark.parametrize("name", [name for name, codec in V2.items() if codec is not None])
@given(data=st.data())
def test_a_flipped_or_cut_object_is_what_it_is_for_zarr(name: str, data: st.DataObject) -> None:
    codec = V2[name]
    values = np.arange(300, dtype="i4") // 3
    content = bytearray(codec.encode(values))
    if data.draw(st.booleans(), "flip"):
        place = data.draw(st.integers(0, len(content) - 1), "place")
        content[place] ^= 1 << data.draw(st.integers(0, 7), "bit")
    else:
        content = content[: data.draw(st.integers(0, len(content)), "length")]
    if name.startswith("blosc") and int.from_bytes(content[12:16], "little") > len(content):
        # Blosc reads beyond the end of such an object, and may find what it looks for.
        expected = None
    else:
        expected = decoded_by_zarr(codec, bytes(content), values.size)
    assert not differs(decoded(codec, bytes(content), values.nbytes), expected)


def decoded_by_zarr(codec: Any, content: bytes, size: int) -> Any:
    objects: dict[str, Any] = {}
    zarr.create_array(
        MemoryStore(objects),
        shape=(size,),
        chunks=(size,),
        dtype="i4",
        zarr_format=2,
        compressors=codec,
    )
    objects["0"] = cpu.Buffer.from_bytes(content)
    return read_by_zarr(objects)


def decoded(codec: Any, content: bytes, nbytes: int) -> Any:
    direct = byte_codec(codec.get_config(), itemsize=4)
    assert direct is not None
    try:
        raw = direct.decode(np.frombuffer(content, np.uint8), nbytes, Scratch())
    except Exception as error:  # noqa: BLE001, whatever the decoder raises
        return error
    return raw.view("i4").copy()


@pytest.mark.parametrize("name", ["bz2", "gzip", "lzma", "zlib"])
def test_a_bomb_is_not_decoded(name: str) -> None:
    codec = V2[name]
    bomb = np.frombuffer(codec.encode(bytes(10**8)), np.uint8)
    direct = byte_codec(codec.get_config(), itemsize=1)
    assert direct is not None
    with pytest.raises(ValueError, match="decodes to more than 1000 bytes"):
        direct.decode(bomb, 1000, Scratch())


def test_frames_that_follow_each_other_are_one_chunk() -> None:
    codec = V2["zstd"]
    content = bytes(codec.encode(bytes(300))) + bytes(codec.encode(bytes(900)))
    assert decoded(codec, content, 1200).size == 300
