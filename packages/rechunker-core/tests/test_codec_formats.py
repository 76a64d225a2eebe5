"""Codecs of one format in the words of the other."""

from __future__ import annotations

from typing import Any

import numcodecs
import pytest
import zarr.codecs
from cases import about

from rechunker.metadata import check_codecs, is_v2, to_v2, to_v3
from rechunker.metadata.codec_chain import Chain

ARRAYS = [
    numcodecs.Delta(dtype="<i4"),
    numcodecs.FixedScaleOffset(offset=1, scale=2, dtype="<f4", astype="<i2"),
    numcodecs.Quantize(digits=3, dtype="<f4"),
    numcodecs.BitRound(keepbits=5),
    numcodecs.AsType(encode_dtype="<f4", decode_dtype="<f8"),
    numcodecs.PackBits(),
]
OBJECTS = [numcodecs.VLenUTF8(), numcodecs.VLenBytes()]
BYTES = [
    numcodecs.Blosc(cname="zstd", clevel=3, shuffle=2, blocksize=64),
    numcodecs.Zstd(level=3, checksum=True),
    numcodecs.GZip(level=2),
    numcodecs.Zlib(level=2),
    numcodecs.BZ2(level=2),
    numcodecs.LZMA(preset=2),
    numcodecs.LZ4(acceleration=2),
    numcodecs.Shuffle(elementsize=8),
    numcodecs.CRC32(),
    numcodecs.Adler32(),
    numcodecs.Fletcher32(),
]


def only(chain: Chain) -> Any:
    (codec,) = [*chain.filters, *filter(None, [chain.serializer]), *chain.compressors]
    return codec


def test_a_codec_of_v2_comes_back_from_v3() -> None:
    for codec in (*ARRAYS, *OBJECTS, *BYTES):
        with about(codec.codec_id):
            assert to_v2(only(to_v3([codec]))) == codec.get_config()
            assert to_v2(only(to_v3([codec.get_config()]))) == codec.get_config()


def test_codecs_go_where_v3_has_their_kind() -> None:
    assert len(to_v3(ARRAYS).filters) == len(ARRAYS)
    assert len(to_v3(BYTES).compressors) == len(BYTES)
    assert to_v3([numcodecs.VLenUTF8()]).serializer["name"] == "vlen-utf8"


def test_the_order_of_codecs_stays() -> None:
    chain = to_v3([ARRAYS[0], OBJECTS[0], BYTES[7], BYTES[1]])
    names = [codec["name"] for codec in chain.compressors]
    assert names == ["numcodecs.shuffle", "zstd"]


def test_a_codec_on_arrays_behind_one_on_bytes_is_refused() -> None:
    message = "'delta' works on arrays and cannot follow"
    for first in (BYTES[7], OBJECTS[0]):
        with about(first), pytest.raises(ValueError, match=message):
            to_v3([first, ARRAYS[0]])


def test_arguments_that_the_dtype_decides_are_left_out() -> None:
    codec = only(to_v3([numcodecs.Blosc(shuffle=numcodecs.Blosc.AUTOSHUFFLE)]))
    assert not {"typesize", "shuffle"} & {*codec["configuration"]}


def test_dtypes_of_filters_are_little_endian_in_v3() -> None:
    codec = only(to_v3([numcodecs.Delta(dtype=">i4", astype=">i8")]))
    assert codec["configuration"] == {"dtype": "<i4", "astype": "<i8"}


def test_a_codec_that_v3_does_not_have_is_refused() -> None:
    for codec in (numcodecs.Categorize(["a"], dtype="U1"), numcodecs.JSON(), numcodecs.Pickle()):
        message = f"no counterpart of codec '{codec.codec_id}'"
        with about(codec), pytest.raises(ValueError, match=message):
            to_v3([codec])


def test_a_codec_that_v2_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="no counterpart of codec 'sharding_indexed'"):
        to_v2(zarr.codecs.ShardingCodec(chunk_shape=(1,)))


def test_transposing_is_an_order_in_v2() -> None:
    with pytest.raises(ValueError, match="'transpose'; use zarr_format=3, or order='F' if it"):
        to_v2(zarr.codecs.TransposeCodec(order=(1, 0)))


def test_codecs_of_v2_are_known_by_their_id() -> None:
    assert [is_v2(codec) for codec in (numcodecs.LZ4(), {"id": "lz4"})] == [True, True]


def test_nothing_else_is_a_codec_of_v2() -> None:
    others = (zarr.codecs.GzipCodec(), {"name": "gzip"}, "gzip", None)
    assert [codec for codec in others if is_v2(codec)] == []


def test_codecs_of_both_formats_are_codecs() -> None:
    check_codecs([numcodecs.LZ4(), {"id": "lz4"}, zarr.codecs.GzipCodec(), {"name": "gzip"}], "x")
