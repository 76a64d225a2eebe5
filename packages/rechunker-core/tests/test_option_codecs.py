"""Options that choose codecs: compressors, filters, order, serializer, shards."""

from __future__ import annotations

from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
import zarr.codecs
from cases import about
from option_targets import BIG, BYTES, TRANSPOSE, ZSTD, copied, create, encoded, target

from rechunker.metadata import document_of

INDEX = {
    "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
    "index_location": "end",
}
FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])


# Compressors.


def test_a_compressor_of_either_format_goes_to_either_format() -> None:
    gzip: dict[str, Any] = {"name": "gzip", "configuration": {"level": 3}}
    old: dict[str, Any] = {"id": "gzip", "level": 3}
    codec = zarr.codecs.GzipCodec(level=3)
    for given in (codec, [codec], gzip, numcodecs.GZip(level=3), old):
        assert encoded(create(), compressors=given) == [BYTES, gzip], given
        assert target(create(zarr_format=2), compressor=given)["compressor"] == old, given


def test_a_compressor_may_be_taken_away() -> None:
    given: list[Any] = [None, (), []]
    for nothing in given:
        assert encoded(create(), compressor=nothing) == [BYTES], nothing
        document = target(create(zarr_format=2), compressors=nothing)
        assert document["compressor"] is None, nothing


def test_auto_is_what_zarr_has_for_the_dtype() -> None:
    source = create(compressors=zarr.codecs.GzipCodec())
    assert encoded(source, compressors="auto") == [BYTES, ZSTD]


def test_blosc_of_v2_shuffles_as_much_in_v3() -> None:
    fixed = {"typesize": 8, "cname": "lz4", "clevel": 4, "blocksize": 0}
    words = {-1: "shuffle", 0: "noshuffle", 1: "shuffle", 2: "bitshuffle"}
    for shuffle, word in words.items():
        codec = numcodecs.Blosc(cname="lz4", clevel=4, shuffle=shuffle)
        (_, found) = encoded(create(dtype="f8"), compressor=codec)
        assert found["configuration"] == {**fixed, "shuffle": word}, shuffle


def test_blosc_of_v2_chooses_bitshuffle_for_bytes_in_v3() -> None:
    (_, found) = encoded(create(dtype="u1"), compressor=numcodecs.Blosc(shuffle=-1))
    assert found["configuration"]["shuffle"] == "bitshuffle"


def test_blosc_is_completed_as_zarr_completes_it() -> None:
    codec = zarr.codecs.BloscCodec(cname="lz4")
    expected = document_of(create(dtype="f8", compressors=codec))["codecs"]
    assert encoded(create(dtype="f8"), compressors=codec) == expected


def test_a_codec_that_v3_does_not_specify_has_a_name_of_numcodecs() -> None:
    zlib = {"name": "numcodecs.zlib", "configuration": {"level": 3}}
    assert encoded(create(), compressor=numcodecs.Zlib(level=3)) == [BYTES, zlib]


def test_several_compressors_are_filters_and_a_compressor_in_v2() -> None:
    document = target(
        create(zarr_format=2), compressors=[zarr.codecs.GzipCodec(), zarr.codecs.Crc32cCodec()]
    )
    assert [codec["id"] for codec in document["filters"]] == ["gzip"]
    assert document["compressor"] == {"id": "crc32c"}


@FORMATS
def test_what_is_no_codec_is_refused(zarr_format: Any) -> None:
    source = create(zarr_format=zarr_format)
    message = "compressors: .* is not a codec; give objects of"
    for codec in ("zstd", ["zstd"], zarr.codecs.GzipCodec, {"level": 3}, 7):
        with about(codec), pytest.raises(TypeError, match=message):
            target(source, compressors=codec)


@FORMATS
def test_an_unknown_codec_is_refused(zarr_format: Any) -> None:
    source = create(zarr_format=zarr_format)
    for codec, library in (({"id": "magic"}, "numcodecs"), ({"name": "magic"}, "zarr")):
        message = f"{library} has no codec named 'magic'"
        with about(codec), pytest.raises(ValueError, match=message):
            target(source, compressors=codec)


@FORMATS
def test_arguments_that_a_codec_refuses_are_refused_before_writing(zarr_format: Any) -> None:
    source = create(zarr_format=zarr_format)
    message = r"target_options: compressors=.* cannot be used for"
    for codec in (numcodecs.Blosc(clevel=99), {"id": "blosc", "cname": "magic"}):
        with about(codec), pytest.raises(ValueError, match=message):
            target(source, compressor=codec)


def test_a_filter_is_no_compressor_in_v3() -> None:
    with pytest.raises(ValueError, match="Delta.* works on arrays; give it in filters"):
        target(create(), compressors=numcodecs.Delta(dtype="i4"))


# Filters, order, serializer.


@FORMATS
def test_filters_of_v2_go_to_either_format(zarr_format: Any) -> None:
    source = create(zarr_format=zarr_format)
    source[...] = np.arange(24).reshape(6, 4)
    made = copied(source, filters=[numcodecs.Delta(dtype="i4")])
    assert "delta" in str(made.metadata.to_dict())
    assert np.array_equal(made[...], source[...])


def test_a_filter_of_v2_on_bytes_comes_before_the_compressor_in_v3() -> None:
    shuffle = {"name": "numcodecs.shuffle", "configuration": {"elementsize": 4}}
    assert encoded(create(), filters=[numcodecs.Shuffle(4)]) == [BYTES, shuffle, ZSTD]


@FORMATS
def test_filters_may_be_taken_away(zarr_format: Any) -> None:
    source = create(zarr_format=2, filters=[numcodecs.Delta(dtype="i4")])
    document = target(source, filters=None, zarr_format=zarr_format)
    assert "delta" not in str(document)


def test_a_filter_without_counterpart_is_refused() -> None:
    codec = numcodecs.Categorize(["a"], dtype="U1")
    with pytest.raises(ValueError, match="Zarr format 3 has no counterpart of codec 'categorize'"):
        target(create(), filters=[codec])


def test_strings_of_any_length_cannot_do_without_their_filter() -> None:
    source = create(dtype=str, zarr_format=2)
    with pytest.raises(ValueError, match="requires the numcodecs.VLenUTF8 codec"):
        target(source, filters=None)


def test_order_is_metadata_in_v2() -> None:
    assert target(create(zarr_format=2), order="F")["order"] == "F"
    assert target(create(zarr_format=2, order="F"), order="C")["order"] == "C"


def test_order_is_a_transpose_codec_in_v3() -> None:
    assert encoded(create(), order="F") == [TRANSPOSE, BYTES, ZSTD]


def test_order_twice_is_order_once() -> None:
    source = create(filters=[zarr.codecs.TransposeCodec(order=(1, 0))])
    assert encoded(source, order="F") == [TRANSPOSE, BYTES, ZSTD]
    assert encoded(source, order="C") == [BYTES, ZSTD]


def test_order_and_a_transpose_codec_are_refused() -> None:
    codec = zarr.codecs.TransposeCodec(order=(1, 0))
    with pytest.raises(ValueError, match="order='F' conflicts with the transpose codec in filters"):
        target(create(), order="F", filters=[codec])


def test_order_means_nothing_for_less_than_two_axes() -> None:
    for shape in ((), (5,)):
        source = create(shape=shape, chunks=shape)
        assert target(source, shape, order="F")["codecs"] == [BYTES, ZSTD], shape


def test_a_serializer_takes_the_place_of_the_source_s() -> None:
    source = create()
    assert encoded(source, serializer=zarr.codecs.BytesCodec(endian="big")) == [BIG, ZSTD]
    assert encoded(source, serializer=BIG) == [BIG, ZSTD]


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        ("i4", {"filters": [numcodecs.Delta(dtype="i4")], "order": "F"}),
        ("i4", {"filters": [numcodecs.Delta(dtype="i4")], "serializer": BIG}),
        (str, {"order": "F"}),
        (zarr.dtype.VariableLengthBytes(), {"order": "F"}),
    ],
)
def test_what_zarr_does_not_read_back_is_refused(dtype: Any, options: dict[str, Any]) -> None:
    source = create(dtype=dtype)
    numbers = np.arange(24).reshape(6, 4)
    source[...] = numbers if dtype == "i4" else numbers.astype("U" if dtype is str else "S")
    try:
        made = copied(source, **options)
    except ValueError as error:  # zarr 3.1 scrambles the elements
        assert "does not read back what it writes with" in str(error)  # noqa: PT017
    else:
        assert np.array_equal(made[...], source[...])


def test_shards_of_structures_are_refused_where_zarr_cannot_write_them() -> None:
    source = create(dtype=np.dtype([("a", "i4"), ("b", "f8")]))
    try:
        made = copied(source, shards=(2, 4))
    except TypeError as error:  # zarr 3.1
        assert "shards cannot hold elements of dtype" in str(error)  # noqa: PT017
    else:
        assert np.array_equal(made[...], source[...])


def test_a_serializer_is_refused_in_v2() -> None:
    with pytest.raises(ValueError, match="serializer: Zarr format 2 has no serializers, got "):
        target(create(zarr_format=2), serializer=zarr.codecs.BytesCodec())


def test_v3_does_not_do_without_a_serializer() -> None:
    for given in (None, [], [zarr.codecs.BytesCodec()], [BIG, BIG]):
        with pytest.raises(
            TypeError, match="serializer must be a codec or 'auto' .*give one codec"
        ):
            target(create(), serializer=given)


# Shards.


def test_shards_of_the_source_are_kept_unless_a_chunk_is_as_large() -> None:
    source = create(chunks=(1, 2), shards=(3, 4), compressors=zarr.codecs.GzipCodec(level=1))
    gzip = {"name": "gzip", "configuration": {"level": 1}}
    document = target(source)
    assert document["chunk_grid"]["configuration"] == {"chunk_shape": [3, 4]}
    (shards,) = document["codecs"]
    assert shards["configuration"]["chunk_shape"] == [1, 4]
    assert shards["configuration"]["codecs"] == [BYTES, gzip]
    document = target(source, (3, 4))
    assert document["chunk_grid"]["configuration"] == {"chunk_shape": [3, 4]}
    assert document["codecs"] == [BYTES, gzip]


def test_shards_stay_where_chunks_stay() -> None:
    source = create(chunks=(1, 2), shards=(3, 4))
    assert target(source, None) == document_of(source)


def test_shards_stay_where_only_a_codec_changes() -> None:
    source = create(chunks=(1, 2), shards=(3, 4))
    expected = document_of(create(chunks=(1, 2), shards=(3, 4), compressors=None))
    assert target(source, None, compressor=None) == expected


def test_shards_of_an_array_without_axes_stay() -> None:
    source = create(shape=(), chunks=(), shards=())
    assert len(target(source, None, compressor=None)["codecs"]) == 1
    assert target(source, (), shards=()) == document_of(source)


def test_shards_may_be_taken_away_alone() -> None:
    document = target(create(chunks=(1, 2), shards=(3, 4)), None, shards=None)
    assert document == document_of(create(chunks=(1, 2)))


def test_shards_hold_the_codecs_of_the_source() -> None:
    configuration = {"chunk_shape": [1, 4], "codecs": [BYTES, ZSTD], **INDEX}
    for shards in ((2, 4), [2, 4], {"shape": (2, 4)}):
        document = target(create(), shards=shards)
        (codec,) = document["codecs"]
        assert codec == {"name": "sharding_indexed", "configuration": configuration}, shards
        assert document["chunk_grid"]["configuration"] == {"chunk_shape": [2, 4]}, shards


def test_shards_are_as_zarr_makes_them() -> None:
    expected = document_of(create(chunks=(1, 2), shards=(6, 2), compressors=None))
    assert target(create(), (1, 2), shards=(-1, 2), compressor=None) == expected


def test_new_shards_keep_the_index_of_the_old_ones() -> None:
    codec = zarr.codecs.ShardingCodec(
        chunk_shape=(1, 2), index_codecs=[zarr.codecs.BytesCodec()], index_location="start"
    )
    source = create(serializer=codec, compressors=None)
    (found,) = encoded(source, shards=(2, 4))
    assert found["configuration"]["index_codecs"] == [BYTES]
    assert found["configuration"]["index_location"] == "start"


def test_the_place_of_the_index_may_be_given() -> None:
    (found,) = encoded(create(), shards={"shape": (2, 4), "index_location": "start"})
    assert found["configuration"]["index_location"] == "start"


def test_shards_in_shards_come_apart() -> None:
    inner = zarr.codecs.ShardingCodec(chunk_shape=(1, 1))
    outer = zarr.codecs.ShardingCodec(chunk_shape=(1, 2), codecs=[inner])
    (shards,) = encoded(create(serializer=outer, compressors=None))
    assert shards["configuration"]["codecs"] == [BYTES]


def test_codecs_around_shards_stay_in_their_order() -> None:
    inner = zarr.codecs.ShardingCodec(chunk_shape=(1, 1), codecs=[zarr.codecs.BytesCodec()])
    transpose, crc32c = zarr.codecs.TransposeCodec(order=(1, 0)), zarr.codecs.Crc32cCodec()
    source = create(filters=[transpose], serializer=inner, compressors=[crc32c])
    assert encoded(source) == [TRANSPOSE, BYTES, {"name": "crc32c"}]


@pytest.mark.parametrize(
    ("shards", "message"),
    [
        ((3, 4), "axis 0: the shard size 3 is not a multiple of the chunk size 2; give 2 or 4"),
        ((2,), r"shards=\(2,\) has 1 sizes, but the array has 2 axes"),
        ((0, 4), "axis 0: the size must be a positive integer or -1, got 0"),
        ({"shape": (2, 4), "index_location": "middle"}, "'?middle'?"),
    ],
)
def test_shards_that_do_not_fit_are_refused(shards: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        target(create(), (2, 4), shards=shards)


def test_what_are_no_shards_is_refused() -> None:
    for shards in (4.0, (2.0, 4)):
        with about(shards), pytest.raises(TypeError, match="target_options: shards="):
            target(create(), shards=shards)


def test_shards_are_refused_in_v2() -> None:
    with pytest.raises(ValueError, match=r"has no shards, got \(2, 4\); use zarr_format=3"):
        target(create(zarr_format=2), shards=(2, 4))
