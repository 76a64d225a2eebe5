"""The words of options, and what they make of the metadata of a target."""

from __future__ import annotations

import warnings
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
import zarr.codecs

from rechunker.metadata import (
    ArrayOptions,
    array_from_document,
    document_of,
    parse_options,
    target_document,
)
from rechunker.metadata.options import ALLOWED, UnusedOptionWarning

BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
BIG = {"name": "bytes", "configuration": {"endian": "big"}}
TRANSPOSE = {"name": "transpose", "configuration": {"order": [1, 0]}}
ZSTD = {"name": "zstd", "configuration": {"level": 0, "checksum": False}}
INDEX = {
    "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
    "index_location": "end",
}
FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])


def create(**given: Any) -> zarr.Array[Any]:
    """Create an array of any dtype without a word about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        defaults = {"store": {}, "shape": (6, 4), "chunks": (3, 4), "dtype": "i4"}
        return zarr.create_array(**{**defaults, **given})


def target(source: zarr.Array[Any], chunks: Any = (1, 4), /, **options: Any) -> dict[str, Any]:
    return target_document(source, chunks, parse_options(options))


def encoded(source: zarr.Array[Any], **options: Any) -> list[Any]:
    """Codecs of a v3 target."""
    found: list[Any] = target(source, **options)["codecs"]
    return found


def copied(source: zarr.Array[Any], **options: Any) -> zarr.Array[Any]:
    """Copy the elements of an array to a target with these options."""
    document = target(source, **options)
    made = array_from_document(document)
    made[...] = np.asarray(source[...]).astype(made.dtype)
    return made


# The words.


def test_no_options_name_nothing() -> None:
    assert parse_options(None) == parse_options({}) == ArrayOptions()


def test_words_that_are_not_metadata_have_places_of_their_own() -> None:
    options = parse_options({"zarr_format": 2, "overwrite": True, "write_empty_chunks": False})
    assert (options.zarr_format, options.overwrite, options.write_empty_chunks) == (2, True, False)
    assert options.named == {}


def test_compressor_is_another_name_of_compressors() -> None:
    assert parse_options({"compressor": None}).named == {"compressors": None}


@pytest.mark.parametrize("word", ["chunks", "shape", "dtype", "store", "path", "name", "data"])
def test_words_for_what_is_not_optional_are_refused_by_name(word: str) -> None:
    with pytest.raises(ValueError, match=f"target_options: '{word}' is not allowed: the "):
        parse_options({word: 1})


def test_an_unknown_word_is_refused_with_a_list_of_what_there_is() -> None:
    message = f"'compresser' is not an option; did you mean 'compressor'.*{', '.join(ALLOWED)}"
    with pytest.raises(ValueError, match=message):
        parse_options({"compresser": None})


def test_errors_call_the_options_what_the_user_called_them() -> None:
    with pytest.raises(ValueError, match=r"target_options\['air'\]: 'level' is not an option"):
        parse_options({"level": 3}, where="target_options['air']")


@pytest.mark.parametrize("options", [3, "order", [("order", "C")]])
def test_options_are_a_mapping(options: Any) -> None:
    with pytest.raises(TypeError, match="target_options must be a dict of options by name, got"):
        parse_options(options)


@pytest.mark.parametrize("word", ["cache_metadata", "cache_attrs"])
def test_a_word_without_meaning_is_left_out_with_a_warning(word: str) -> None:
    with pytest.warns(UnusedOptionWarning, match=f"without effect in Zarr-Python 3: {word}"):
        assert parse_options({word: True}) == ArrayOptions()


def test_two_words_without_meaning_give_one_warning() -> None:
    with pytest.warns(UnusedOptionWarning) as record:
        parse_options({"cache_metadata": True, "cache_attrs": True})
    assert len(record) == 1
    assert record[0].filename == __file__


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"compressor": None, "compressors": None}, "'compressor' and 'compressors' are the same"),
        ({"zarr_format": 1}, "target_options: zarr_format must be 2 or 3, got 1"),
        ({"order": "A"}, "order must be 'C' or 'F', got 'A'"),
        ({"dimension_separator": "-"}, "dimension_separator must be '.' or '/', got '-'"),
        (
            {"dimension_separator": "/", "chunk_key_encoding": {"name": "v2"}},
            "chunk_key_encoding and dimension_separator both set .*; give only one",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_options(options)


@pytest.mark.parametrize("word", ["overwrite", "write_empty_chunks"])
def test_switches_are_true_or_false(word: str) -> None:
    with pytest.raises(TypeError, match=f"{word} must be True or False, got 'yes'"):
        parse_options({word: "yes"})


@pytest.mark.parametrize("word", ["zarr_format", "order", "dimension_separator"])
def test_none_leaves_a_choice_to_the_source(word: str) -> None:
    source = create(zarr_format=2, order="F")
    assert target(source, **{word: None}) == target(source)


def test_an_array_has_the_format_of_its_group() -> None:
    assert parse_options({}).in_group(2).zarr_format == 2
    assert parse_options({"zarr_format": 3}).in_group(None).zarr_format == 3


def test_another_format_than_that_of_the_group_is_refused() -> None:
    with pytest.raises(ValueError, match="zarr_format=3, but the group .* has Zarr format 2"):
        parse_options({"zarr_format": 3}).in_group(2)


# Compressors.


@pytest.mark.parametrize(
    "codec",
    [
        zarr.codecs.GzipCodec(level=3),
        [zarr.codecs.GzipCodec(level=3)],
        {"name": "gzip", "configuration": {"level": 3}},
        numcodecs.GZip(level=3),
        {"id": "gzip", "level": 3},
    ],
)
def test_a_compressor_of_either_format_goes_to_either_format(codec: Any) -> None:
    gzip = {"name": "gzip", "configuration": {"level": 3}}
    assert encoded(create(), compressors=codec) == [BYTES, gzip]
    assert target(create(zarr_format=2), compressor=codec)["compressor"] == {
        "id": "gzip",
        "level": 3,
    }


@pytest.mark.parametrize("nothing", [None, (), []])
def test_a_compressor_may_be_taken_away(nothing: Any) -> None:
    assert encoded(create(), compressor=nothing) == [BYTES]
    assert target(create(zarr_format=2), compressors=nothing)["compressor"] is None


def test_auto_is_what_zarr_has_for_the_dtype() -> None:
    source = create(compressors=zarr.codecs.GzipCodec())
    assert encoded(source, compressors="auto") == [BYTES, ZSTD]


@pytest.mark.parametrize("shuffle", [-1, 0, 1, 2])
def test_blosc_of_v2_shuffles_as_much_in_v3(shuffle: int) -> None:
    codec = numcodecs.Blosc(cname="lz4", clevel=4, shuffle=shuffle)
    words = ("noshuffle", "shuffle", "bitshuffle", "shuffle")
    (_, found) = encoded(create(dtype="f8"), compressor=codec)
    fixed = {"typesize": 8, "cname": "lz4", "clevel": 4, "blocksize": 0}
    assert found["configuration"] == {**fixed, "shuffle": words[shuffle]}


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


@pytest.mark.parametrize("codec", ["zstd", ["zstd"], zarr.codecs.GzipCodec, {"level": 3}, 7])
@FORMATS
def test_what_is_no_codec_is_refused(codec: Any, zarr_format: Any) -> None:
    with pytest.raises(TypeError, match="compressors: .* is not a codec; give objects of"):
        target(create(zarr_format=zarr_format), compressors=codec)


@pytest.mark.parametrize(
    ("codec", "library"), [({"id": "magic"}, "numcodecs"), ({"name": "magic"}, "zarr")]
)
@FORMATS
def test_an_unknown_codec_is_refused(codec: Any, library: str, zarr_format: Any) -> None:
    with pytest.raises(ValueError, match=f"{library} has no codec named 'magic'"):
        target(create(zarr_format=zarr_format), compressors=codec)


@pytest.mark.parametrize(
    "codec", [numcodecs.Blosc(clevel=99), {"id": "blosc", "cname": "magic"}], ids=str
)
@FORMATS
def test_arguments_that_a_codec_refuses_are_refused_before_writing(
    codec: Any, zarr_format: Any
) -> None:
    with pytest.raises(ValueError, match=r"target_options: compressors=.* cannot be used for"):
        target(create(zarr_format=zarr_format), compressor=codec)


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


@pytest.mark.parametrize("shape", [(), (5,)])
def test_order_means_nothing_for_less_than_two_axes(shape: tuple[int, ...]) -> None:
    source = create(shape=shape, chunks=shape)
    assert target(source, shape, order="F")["codecs"] == [BYTES, ZSTD]


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
    with pytest.raises(TypeError, match="serializer must be a codec or 'auto' .*, got None"):
        target(create(), serializer=None)


# Shards.


def test_the_target_of_a_sharded_source_has_no_shards() -> None:
    source = create(chunks=(1, 2), shards=(3, 4), compressors=zarr.codecs.GzipCodec(level=1))
    document = target(source)
    assert document["chunk_grid"]["configuration"] == {"chunk_shape": [1, 4]}
    assert document["codecs"] == [BYTES, {"name": "gzip", "configuration": {"level": 1}}]


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


@pytest.mark.parametrize("shards", [(2, 4), [2, 4], {"shape": (2, 4)}])
def test_shards_hold_the_codecs_of_the_source(shards: Any) -> None:
    document = target(create(), shards=shards)
    configuration = {"chunk_shape": [1, 4], "codecs": [BYTES, ZSTD], **INDEX}
    assert document["codecs"] == [{"name": "sharding_indexed", "configuration": configuration}]
    assert document["chunk_grid"]["configuration"] == {"chunk_shape": [2, 4]}


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
    assert encoded(create(serializer=outer, compressors=None)) == [BYTES]


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


@pytest.mark.parametrize("shards", ["auto", 4, (2.0, 4)])
def test_what_are_no_shards_is_refused(shards: Any) -> None:
    with pytest.raises(TypeError, match="target_options: shards="):
        target(create(), shards=shards)


def test_shards_are_refused_in_v2() -> None:
    with pytest.raises(ValueError, match=r"has no shards, got \(2, 4\); use zarr_format=3"):
        target(create(zarr_format=2), shards=(2, 4))


# Fill values, keys of chunks, names of dimensions, attributes.


@FORMATS
def test_a_fill_value_takes_the_place_of_the_source_s(zarr_format: Any) -> None:
    source = create(zarr_format=zarr_format, fill_value=3)
    document = target(source, fill_value=5)
    assert document == {**target(source), "fill_value": 5}


def test_no_fill_value_is_null_in_v2_and_zero_in_v3() -> None:
    assert target(create(zarr_format=2, fill_value=3), fill_value=None)["fill_value"] is None
    assert target(create(fill_value=3), fill_value=None)["fill_value"] == 0


def test_a_fill_value_that_is_no_number_may_be_given() -> None:
    assert target(create(dtype="f4"), fill_value=float("nan"))["fill_value"] == "NaN"


@pytest.mark.parametrize(
    ("dtype", "fill"),
    [
        *[("i4", 1.5), ("i4", "x"), ("i4", float("nan")), ("u1", -1), ("f4", 1e300)],
        *[("S2", b"abc"), ("U2", "abc"), ("?", 2)],
    ],
)
@FORMATS
def test_a_fill_value_that_the_dtype_does_not_have_is_refused(
    dtype: str, fill: Any, zarr_format: Any
) -> None:
    with pytest.raises(ValueError, match="target_options: fill_value="):
        target(create(dtype=dtype, zarr_format=zarr_format), fill_value=fill)


def test_a_dimension_separator_changes_the_keys_of_chunks() -> None:
    assert target(create(zarr_format=2), dimension_separator="/")["dimension_separator"] == "/"
    found = target(create(), dimension_separator=".")["chunk_key_encoding"]
    assert found == {"name": "default", "configuration": {"separator": "."}}


def test_a_dimension_separator_leaves_the_kind_of_keys() -> None:
    source = create(chunk_key_encoding={"name": "v2", "separator": "."})
    found = target(source, dimension_separator="/")["chunk_key_encoding"]
    assert found == {"name": "v2", "configuration": {"separator": "/"}}


def test_keys_of_chunks_may_be_those_of_v2() -> None:
    v2 = {"name": "v2", "configuration": {"separator": "/"}}
    given = {"name": "v2", "separator": "/"}
    assert target(create(), chunk_key_encoding=given)["chunk_key_encoding"] == v2
    assert target(create(zarr_format=2), chunk_key_encoding=given)["dimension_separator"] == "/"


@pytest.mark.parametrize("given", ["v2", {"name": "magic"}, {"name": "v2", "separator": "-"}])
@FORMATS
def test_keys_of_chunks_that_zarr_does_not_know_are_refused(given: Any, zarr_format: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="target_options: chunk_key_encoding="):
        target(create(zarr_format=zarr_format), chunk_key_encoding=given)


def test_names_of_dimensions_go_where_the_format_has_them() -> None:
    assert target(create(), dimension_names=("y", None))["dimension_names"] == ["y", None]
    attributes = target(create(zarr_format=2), dimension_names=["y", "x"])["attributes"]
    assert attributes == {"_ARRAY_DIMENSIONS": ["y", "x"]}


def test_names_of_dimensions_may_be_taken_away() -> None:
    assert "dimension_names" not in target(create(dimension_names=("y", "x")), dimension_names=None)
    source = create(zarr_format=2, attributes={"_ARRAY_DIMENSIONS": ["y", "x"], "units": "K"})
    assert target(source, dimension_names=None)["attributes"] == {"units": "K"}


@pytest.mark.parametrize("names", ["yx", ("y",), ("y", 1), 3])
def test_names_of_dimensions_are_one_per_axis(names: Any) -> None:
    with pytest.raises(ValueError, match="must hold a name or None for each of the 2 axes"):
        target(create(), dimension_names=names)


@FORMATS
def test_attributes_take_the_place_of_the_source_s(zarr_format: Any) -> None:
    source = create(zarr_format=zarr_format, attributes={"units": "K", "b": 1})
    assert target(source, attributes={"units": "m"})["attributes"] == {"units": "m"}


def test_new_attributes_leave_the_names_of_dimensions() -> None:
    names = {"_ARRAY_DIMENSIONS": ["y", "x"]}
    source = create(zarr_format=2, attributes={**names, "units": "K"})
    assert target(source, attributes={"units": "m"})["attributes"] == {**names, "units": "m"}


@pytest.mark.parametrize("attributes", [3, {"a": np.float32(1)}, {"a": {1, 2}}])
def test_attributes_are_json(attributes: Any) -> None:
    with pytest.raises(TypeError, match="target_options: "):
        target(create(), attributes=attributes)


# From one format to the other.


def test_a_v2_array_becomes_the_v3_array_that_zarr_makes() -> None:
    given: Any = {"dtype": "f4", "fill_value": float("nan"), "attributes": {"units": "K"}}
    source = create(zarr_format=2, compressors=numcodecs.Zstd(level=5), **given)
    expected = create(compressors=zarr.codecs.ZstdCodec(level=5), chunks=(1, 4), **given)
    assert target(source, zarr_format=3) == document_of(expected)


def test_a_v3_array_becomes_the_v2_array_that_zarr_makes() -> None:
    given: Any = {"dtype": "f4", "fill_value": float("nan"), "attributes": {"units": "K"}}
    source = create(compressors=zarr.codecs.ZstdCodec(level=5), **given)
    zstd = numcodecs.Zstd(level=5)
    expected = create(zarr_format=2, compressors=zstd, chunks=(1, 4), **given)
    assert target(source, zarr_format=2) == document_of(expected)


def test_names_of_dimensions_move_with_the_format() -> None:
    old = create(zarr_format=2, attributes={"_ARRAY_DIMENSIONS": ["y", "x"], "units": "K"})
    new = create(dimension_names=("y", "x"), attributes={"units": "K"})
    moved = target(old, zarr_format=3)
    assert (moved["dimension_names"], moved["attributes"]) == (["y", "x"], {"units": "K"})
    assert target(new, zarr_format=2)["attributes"] == {
        "units": "K",
        "_ARRAY_DIMENSIONS": ["y", "x"],
    }


def test_a_dimension_without_a_name_is_refused_in_v2() -> None:
    with pytest.raises(ValueError, match="a name for every dimension or for none"):
        target(create(dimension_names=("y", None)), zarr_format=2)


def test_the_order_of_elements_moves_with_the_format() -> None:
    assert encoded(create(zarr_format=2, order="F"), zarr_format=3) == [TRANSPOSE, BYTES, ZSTD]
    source = create(filters=[zarr.codecs.TransposeCodec(order=(1, 0))])
    assert target(source, zarr_format=2)["order"] == "F"


def test_an_order_of_axes_that_v2_does_not_have_is_refused() -> None:
    codec = zarr.codecs.TransposeCodec(order=(1, 2, 0))
    source = create(shape=(2, 2, 2), chunks=(2, 2, 2), filters=[codec])
    with pytest.raises(ValueError, match=r"transposed axes \[1, 2, 0\]; give zarr_format=3"):
        target(source, (2, 2, 2), zarr_format=2)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_order_of_bytes_moves_with_the_format(zarr_format: Any) -> None:
    given: Any = {"dtype": ">f4"} if zarr_format == 2 else {"dtype": "f4", "serializer": BIG}
    document = target(create(zarr_format=zarr_format, **given), zarr_format=5 - zarr_format)
    assert document.get("dtype", document.get("codecs", [None])[0]) in (">f4", BIG)


@pytest.mark.parametrize("dtype", ["?", "u2", "c8", "M8[ms]", "m8[D]", "U4", "S4", str])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_every_kind_of_dtype_goes_to_the_other_format(dtype: Any, zarr_format: Any) -> None:
    source = create(dtype=dtype, zarr_format=zarr_format)
    document = target(source, zarr_format=5 - zarr_format)
    made = array_from_document(document)
    assert (made.dtype, made.fill_value) == (
        source.dtype,
        source.fill_value,
    ) or made.dtype.kind in "mM"


def test_keys_of_chunks_are_those_of_the_format() -> None:
    source = create(zarr_format=2, chunk_key_encoding={"name": "v2", "separator": "/"})
    assert target(source, zarr_format=3)["chunk_key_encoding"]["name"] == "default"
    assert target(create(), zarr_format=2)["dimension_separator"] == "."


def test_filters_of_big_endian_elements_work_on_native_ones_in_v3() -> None:
    scale = numcodecs.FixedScaleOffset(offset=0, scale=10, dtype=">f4", astype=">i2")
    source = create(zarr_format=2, dtype=">f4", filters=[scale])
    source[...] = np.arange(24).reshape(6, 4) / 10
    assert np.array_equal(copied(source, zarr_format=3)[...], source[...])


def test_shards_come_apart_in_v2() -> None:
    source = create(chunks=(1, 2), shards=(3, 4))
    assert target(source, None, zarr_format=2)["chunks"] == [1, 2]


def test_a_codec_without_counterpart_is_refused() -> None:
    source = create(zarr_format=2, filters=[numcodecs.Categorize(["a"], dtype="U1")], dtype="U1")
    with pytest.raises(ValueError, match="Zarr format 3 has no counterpart of codec 'categorize'"):
        target(source, zarr_format=3)
