"""Options by name: which there are, and those that are plain values in the metadata."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cases import about
from option_targets import create, target

from rechunker.metadata import ArrayOptions, parse_options
from rechunker.metadata.options import ALLOWED, UnusedOptionWarning

FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])


def test_no_options_name_nothing() -> None:
    assert parse_options(None) == parse_options({}) == ArrayOptions()


def test_words_that_are_not_metadata_have_places_of_their_own() -> None:
    options = parse_options({"zarr_format": 2, "overwrite": True, "write_empty_chunks": False})
    assert (options.zarr_format, options.overwrite, options.write_empty_chunks) == (2, True, False)
    assert options.named == {}


def test_compressor_is_another_name_of_compressors() -> None:
    assert parse_options({"compressor": None}).named == {"compressors": None}


def test_words_for_what_is_not_optional_are_refused_by_name() -> None:
    for word in ("chunks", "shape", "dtype", "store", "path", "name", "data"):
        message = f"target_options: '{word}' is not allowed: the "
        with about(word), pytest.raises(ValueError, match=message):
            parse_options({word: 1})


def test_an_unknown_word_is_refused_with_a_list_of_what_there_is() -> None:
    message = f"'compresser' is not an option; did you mean 'compressor'.*{', '.join(ALLOWED)}"
    with pytest.raises(ValueError, match=message):
        parse_options({"compresser": None})


def test_errors_call_the_options_what_the_user_called_them() -> None:
    with pytest.raises(ValueError, match=r"target_options\['air'\]: 'level' is not an option"):
        parse_options({"level": 3}, where="target_options['air']")


def test_options_are_a_mapping() -> None:
    wrong: list[Any] = [3, "order", [("order", "C")]]
    message = "target_options must be a dict of options by name, got"
    for options in wrong:
        with about(options), pytest.raises(TypeError, match=message):
            parse_options(options)


def test_a_word_without_meaning_is_left_out_with_a_warning() -> None:
    for word in ("cache_metadata", "cache_attrs"):
        message = f"without effect in Zarr-Python 3: {word}"
        with about(word), pytest.warns(UnusedOptionWarning, match=message):
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


def test_switches_are_true_or_false() -> None:
    for word in ("overwrite", "write_empty_chunks"):
        message = f"{word} must be True or False, got 'yes'"
        with about(word), pytest.raises(TypeError, match=message):
            parse_options({word: "yes"})


def test_none_leaves_a_choice_to_the_source() -> None:
    source = create(zarr_format=2, order="F")
    for word in ("zarr_format", "order", "dimension_separator"):
        assert target(source, **{word: None}) == target(source), word


def test_an_array_has_the_format_of_its_group() -> None:
    assert parse_options({}).in_group(2).zarr_format == 2
    assert parse_options({"zarr_format": 3}).in_group(None).zarr_format == 3


def test_another_format_than_that_of_the_group_is_refused() -> None:
    with pytest.raises(ValueError, match="zarr_format=3, but the group .* has Zarr format 2"):
        parse_options({"zarr_format": 3}).in_group(2)


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


NO_FILL: list[tuple[str, Any]] = [
    *[("i4", 1.5), ("i4", "x"), ("i4", float("nan")), ("u1", -1), ("f4", 1e300)],
    *[("S2", b"abc"), ("U2", "abc"), ("?", 2)],
]


@FORMATS
def test_a_fill_value_that_the_dtype_does_not_have_is_refused(zarr_format: Any) -> None:
    for dtype, fill in NO_FILL:
        source = create(dtype=dtype, zarr_format=zarr_format)
        with about(dtype, fill), pytest.raises(ValueError, match="target_options: fill_value="):
            target(source, fill_value=fill)


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


@FORMATS
def test_keys_of_chunks_that_zarr_does_not_know_are_refused(zarr_format: Any) -> None:
    source, message = create(zarr_format=zarr_format), "target_options: chunk_key_encoding="
    for given in ("v2", {"name": "magic"}, {"name": "v2", "separator": "-"}):
        with about(given), pytest.raises((TypeError, ValueError), match=message):
            target(source, chunk_key_encoding=given)


def test_names_of_dimensions_go_where_the_format_has_them() -> None:
    assert target(create(), dimension_names=("y", None))["dimension_names"] == ["y", None]
    attributes = target(create(zarr_format=2), dimension_names=["y", "x"])["attributes"]
    assert attributes == {"_ARRAY_DIMENSIONS": ["y", "x"]}


def test_names_of_dimensions_may_be_taken_away() -> None:
    assert "dimension_names" not in target(create(dimension_names=("y", "x")), dimension_names=None)
    source = create(zarr_format=2, attributes={"_ARRAY_DIMENSIONS": ["y", "x"], "units": "K"})
    assert target(source, dimension_names=None)["attributes"] == {"units": "K"}


def test_names_of_dimensions_are_one_per_axis() -> None:
    message = "must hold a name or None for each of the 2 axes"
    for names in ("yx", ("y",), ("y", 1), 3):
        with about(names), pytest.raises(ValueError, match=message):
            target(create(), dimension_names=names)


@FORMATS
def test_attributes_take_the_place_of_the_source_s(zarr_format: Any) -> None:
    source = create(zarr_format=zarr_format, attributes={"units": "K", "b": 1})
    assert target(source, attributes={"units": "m"})["attributes"] == {"units": "m"}


def test_new_attributes_leave_the_names_of_dimensions() -> None:
    names = {"_ARRAY_DIMENSIONS": ["y", "x"]}
    source = create(zarr_format=2, attributes={**names, "units": "K"})
    assert target(source, attributes={"units": "m"})["attributes"] == {**names, "units": "m"}


def test_attributes_are_json() -> None:
    for attributes in (3, {"a": np.float32(1)}, {"a": {1, 2}}):
        with about(attributes), pytest.raises(TypeError, match="target_options: "):
            target(create(), attributes=attributes)
