"""Texts of the command line: what they stand for, and the way back."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rechunker.cli.chunk_texts import chunks_to_texts, parse_chunks
from rechunker.cli.option_texts import parse_codecs, parse_settings, secrets_of

names = st.text(min_size=1, max_size=8).filter(lambda name: name != "...")
byte_sizes = st.builds("{}{}".format, st.integers(1, 999), st.sampled_from(["kB", "MB", "GiB"]))
sizes = st.one_of(st.integers(1, 10**12), st.just(-1), st.none(), st.just("auto"), byte_sizes)
tuples = st.lists(sizes, max_size=4).map(tuple)
by_name = st.dictionaries(st.one_of(names, st.just(...)), sizes, max_size=4)
values = st.one_of(sizes, tuples, by_name)
of_arrays = st.dictionaries(names, st.one_of(values, st.dictionaries(names, values, max_size=2)))
specs = st.one_of(sizes, tuples, by_name, of_arrays)


@given(specs)
def test_texts_of_chunks_stand_for_them(chunks: Any) -> None:
    texts = chunks_to_texts(chunks)
    assert parse_chunks(texts) == chunks
    assert all(texts)


@given(st.text(max_size=40))
def test_any_other_text_is_refused_with_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_chunks([*chunks_to_texts(parse_chunks([text]))]) == parse_chunks([text])


@pytest.mark.parametrize(
    ("texts", "chunks"),
    [
        ([], None),
        (["time=8760,lat=10"], {"time": 8760, "lat": 10}),
        (["time=-1,...=100MB"], {"time": -1, ...: "100MB"}),
        ([" time = -1 , lat = none "], {"time": -1, "lat": None}),
        (["AUTO"], "auto"),
        (["100,100"], (100, 100)),
        (["100,none,-1"], (100, None, -1)),
        (["7"], 7),
        (["air:time=10,lat=5", "sea:10,10"], {"air": {"time": 10, "lat": 5}, "sea": (10, 10)}),
        (["air:time=10", "air:lat=5", "x=1"], {"air": {"time": 10, "lat": 5}, "x": 1}),
        (["*/0:auto", "100MB"], {"*/0": "auto", ...: "100MB"}),
        (['{"a b": {"...": "auto"}, "c": [1, null]}'], {"a b": {...: "auto"}, "c": (1, None)}),
        (['air:{"a,b": 3}'], {"air": {"a,b": 3}}),
    ],
)
def test_texts_stand_for_chunks(texts: list[str], chunks: Any) -> None:
    assert parse_chunks(texts) == chunks


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["time=ten"], "'ten' is not a size"),
        (["time=1.5"], "'1.5' is not a size"),
        (["time="], "'time=' is not NAME=SIZE"),
        (["time=1,5"], "'5' is not NAME=SIZE"),
        (["=5"], "'=5' is not NAME=SIZE"),
        ([""], "'' is not a size"),
        (["1e6"], "'1e6' is not a size"),
        (["time=1,time=2"], "'time' is given twice"),
        (["time=1", "time=2"], "'time' is given twice"),
        (["auto", "100MB"], "'...' is given twice"),
        (["100,100", "x=1"], "are for a single array"),
        (["{time: 1}"], "are not JSON"),
        (['{"a": 1, "a": 2}'], "'a' is given twice"),
    ],
)
def test_texts_that_are_no_chunks_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("...", r"\.\.\.")):
        parse_chunks(texts)


def test_names_of_codecs_are_those_of_zarr_or_of_numcodecs() -> None:
    blosc = {"name": "blosc", "configuration": {"cname": "zstd", "shuffle": "bitshuffle"}}
    assert parse_codecs(["blosc:cname=zstd,shuffle=bitshuffle"]) == (blosc,)
    assert parse_codecs(["shuffle:elementsize=4", "zlib"]) == (
        {"id": "shuffle", "elementsize": 4},
        {"id": "zlib"},
    )
    assert parse_codecs([json.dumps(blosc)]) == (blosc,)
    assert (parse_codecs(["None"]), parse_codecs(["auto"])) == (None, "auto")


@pytest.mark.parametrize("text", ["zst", "zstd:3", "zstd:=3", ":level=3", "{", "[]"])
def test_texts_that_are_no_codec_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="codec"):
        parse_codecs([text])
    with pytest.raises(ValueError, match="codec"):
        parse_codecs(["zstd", "none"])


def test_storage_options_are_nested_by_dots_and_merged() -> None:
    texts = ["anon=true", "client_kwargs.region_name=eu", '{"client_kwargs": {"verify": false}}']
    assert parse_settings(texts) == {
        "anon": True,
        "client_kwargs": {"region_name": "eu", "verify": False},
    }
    assert parse_settings([]) is None


def test_secrets_among_storage_options_are_texts_and_known() -> None:
    texts = ["key=1234", "secret=true", "client_kwargs.aws_session_token=abc", "endpoint=http://h"]
    options = parse_settings(texts)
    assert options is not None
    assert (options["key"], options["secret"]) == ("1234", "true")
    assert secrets_of(options) == {"1234", "true", "abc"}


def test_the_password_of_an_address_is_a_secret() -> None:
    options = parse_settings(["scheduler=tcp://me:hidden@host:8786", "other=http://[bad"])
    assert secrets_of(options) == {"hidden"}


@pytest.mark.parametrize("text", ["SECRETSECRET", "=SECRETSECRET", '{"secret": "SECRETSECRET"'])
def test_an_error_about_storage_options_does_not_show_them(text: str) -> None:
    with pytest.raises(ValueError, match="storage options") as error:
        parse_settings([text])
    assert "SECRETSECRET" not in str(error.value)
