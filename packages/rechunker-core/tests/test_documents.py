"""What the metadata of a target keeps of its source."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest
import zarr
import zarr.codecs
from hypothesis import given
from hypothesis import strategies as st
from zarr.buffer.cpu import Buffer
from zarr.storage import LocalStore, MemoryStore, StorePath
from zarr.testing.strategies import arrays

from rechunker.metadata import (
    ArrayOptions,
    array_from_document,
    document_of,
    metadata_files,
    parse_options,
    target_document,
)

PLAIN = ArrayOptions()
GRID = ("chunks", "chunk_grid", "codecs")
NOWHERE = StorePath(MemoryStore())


def create(**given: Any) -> zarr.Array[Any]:
    """Create an array of any dtype without a word about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        defaults = {"store": {}, "shape": (6, 4), "chunks": (3, 4), "dtype": "i4"}
        return zarr.create_array(**{**defaults, **given})


def stored(files: dict[str, bytes]) -> dict[str, Any]:
    return {key: Buffer.from_bytes(content) for key, content in files.items()}


def put(array: zarr.Array[Any], **changes: Any) -> zarr.Array[Any]:
    """Change the stored metadata of an array in memory and open it anew."""
    store: Any = array.store
    name = "zarr.json" if array.metadata.zarr_format == 3 else ".zarray"
    files = {key: buffer.to_bytes() for key, buffer in store._store_dict.items()}
    files[name] = json.dumps({**json.loads(files[name]), **changes}).encode()
    return zarr.open_array(MemoryStore(stored(files)))


@st.composite
def sources(draw: st.DrawFn) -> zarr.Array[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zarr.config.set({"array.rectilinear_chunks": True}):  # where zarr has them
            return draw(arrays())


def text(document: dict[str, Any], *without: str) -> str:
    """Return metadata as text, in which one NaN equals another."""
    kept = {key: value for key, value in document.items() if key not in without}
    return json.dumps(kept, sort_keys=True)


def leaves(codecs: Any) -> list[Any]:
    """Return codecs with those inside sharding codecs in their place."""
    within = [codec.get("configuration", {}).get("codecs") for codec in codecs]
    pairs = zip(codecs, within, strict=True)
    return [leaf for codec, inner in pairs for leaf in (leaves(inner) if inner else [codec])]


@given(sources(), st.data())
def test_a_target_differs_from_any_source_in_its_chunks_alone(
    source: zarr.Array[Any], data: st.DataObject
) -> None:
    chunks = tuple(data.draw(st.integers(1, max(1, n))) for n in source.shape)
    before = document_of(source)
    after = target_document(source, chunks, PLAIN)
    assert text(after, *GRID) == text(before, *GRID)
    assert leaves(after.get("codecs", [])) == leaves(before.get("codecs", []))
    assert array_from_document(after).chunks == chunks


@given(sources())
def test_without_chunks_nothing_differs(source: zarr.Array[Any]) -> None:
    document = document_of(source)
    if "chunk_shapes" in str(document.get("chunk_grid")):
        with pytest.raises(ValueError, match="irregular; give target_chunks"):
            target_document(source, None, PLAIN)
    else:
        assert text(target_document(source, None, PLAIN)) == text(document)


@given(sources())
def test_what_zarr_writes_is_what_it_wrote_for_the_source(source: zarr.Array[Any]) -> None:
    store: Any = source.store
    with zarr.config.set({"array.rectilinear_chunks": True}):
        files = metadata_files(document_of(source))
    assert files == {key: store._store_dict[f"{source.path}/{key}"].to_bytes() for key in files}


@given(sources())
def test_what_is_written_reads_back_as_the_document(source: zarr.Array[Any]) -> None:
    document = target_document(source, tuple(max(1, n) for n in source.shape), PLAIN)
    files = metadata_files(document)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = zarr.open_array(MemoryStore(stored(files)))
    assert text(document_of(opened)) == text(document)


@given(sources(), st.sampled_from([2, 3]))
def test_elements_of_any_source_go_through_either_format(
    source: zarr.Array[Any], zarr_format: Any
) -> None:
    options = parse_options({"zarr_format": zarr_format, "dimension_names": None})
    chunks = tuple(max(1, n) for n in source.shape)
    document = target_document(source, chunks, options)
    target = array_from_document(document)
    target[...] = source[...]
    assert np.asarray(target[...]).tobytes() == np.asarray(source[...]).tobytes()


def test_a_copy_of_an_unstable_dtype_is_made_without_a_warning() -> None:
    source = create(dtype="U3")
    assert target_document(source, (6, 1), PLAIN)["data_type"]["name"] == "fixed_length_utf32"


def test_v3_fill_values_keep_their_bits() -> None:
    for fill in ("0x7fc00001", "0xffc00000", "NaN", "-Infinity", 1.5):
        source = put(create(dtype="f4"), fill_value=fill)
        document = target_document(source, (6, 1), PLAIN)
        assert document["fill_value"] == fill
        assert json.loads(metadata_files(document)["zarr.json"])["fill_value"] == fill


def test_a_complex_fill_value_keeps_the_bits_of_its_parts() -> None:
    source = put(create(dtype="c8"), fill_value=["0x7fc00001", -0.0])
    document = target_document(source, (6, 1), PLAIN)
    assert document["fill_value"] == ["0x7fc00001", -0.0]


def test_v2_keeps_a_fill_value_and_its_absence() -> None:
    for fill in (None, 0, 7):
        source = create(zarr_format=2, fill_value=fill)
        assert target_document(source, (6, 1), PLAIN)["fill_value"] == fill


DTYPES = [
    *("?", "c16", "M8[ns]", "m8[s]", "S4", "U2", "V3", "f2"),
    np.dtypes.StringDType(),
    zarr.dtype.VariableLengthBytes(),
    np.dtype([("a", "i4"), ("b", "f8"), ("c", "S3")]),
]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_every_kind_of_dtype_stays(zarr_format: Any) -> None:
    for dtype in DTYPES:
        source = create(dtype=dtype, zarr_format=zarr_format)
        document = target_document(source, (1, 4), PLAIN)
        assert text(document, *GRID) == text(document_of(source), *GRID), dtype
        assert array_from_document(document).dtype == source.dtype, dtype


def test_structures_stay() -> None:
    dtype = np.dtype([("a", ">i4"), ("b", "f8"), ("c", "S3")])
    source = create(dtype=dtype, zarr_format=2, fill_value=np.array((1, 2.5, b"x"), dtype)[()])
    document = target_document(source, (1, 4), PLAIN)
    assert text(document, "chunks") == text(document_of(source), "chunks")


def test_the_order_of_bytes_stays_in_v2() -> None:
    source = create(dtype=">f4", zarr_format=2)
    assert target_document(source, (1, 4), PLAIN)["dtype"] == ">f4"


def test_the_order_of_bytes_stays_in_v3() -> None:
    source = create(serializer=zarr.codecs.BytesCodec(endian="big"))
    codecs = target_document(source, (1, 4), PLAIN)["codecs"]
    assert codecs[0] == {"name": "bytes", "configuration": {"endian": "big"}}


def test_keys_that_other_programs_keep_in_v2_metadata_stay() -> None:
    source = put(create(zarr_format=2), _NCZARR_ARRAY={"dimrefs": ["/y", "/x"]})
    files = metadata_files(target_document(source, (1, 4), PLAIN))
    assert json.loads(files[".zarray"])["_NCZARR_ARRAY"] == {"dimrefs": ["/y", "/x"]}


def test_v2_metadata_stay_as_others_spell_them() -> None:
    spelled = {"fill_value": 0, "compressor": {"id": "zlib"}, "filters": [{"id": "vlen-utf8"}]}
    source = put(create(dtype=str, zarr_format=2), **spelled)
    for options in ({}, {"dimension_separator": "/"}):
        document = target_document(source, (1, 4), parse_options(options))
        files = metadata_files(document)
        assert {key: json.loads(files[".zarray"])[key] for key in spelled} == spelled
    changed = target_document(source, (1, 4), parse_options({"fill_value": "x"}))
    assert json.loads(metadata_files(changed)[".zarray"])["fill_value"] == "x"


def test_v2_metadata_that_changed_since_an_array_was_opened_are_not_taken() -> None:
    array = create(zarr_format=2, fill_value=7)
    store: Any = array.store
    changed = {**document_of(array), "fill_value": 9, "own": 1}
    store._store_dict[".zarray"] = Buffer.from_bytes(json.dumps(changed).encode())
    assert document_of(array) == {**changed, "fill_value": 7}
    store._store_dict[".zarray"] = Buffer.from_bytes(b"{")
    assert document_of(array)["fill_value"] == 7


def test_extension_keys_of_v3_metadata_stay() -> None:
    source = put(create(), extra={"must_understand": False, "x": 1})
    files = metadata_files(target_document(source, (1, 4), PLAIN))
    assert json.loads(files["zarr.json"])["extra"] == {"must_understand": False, "x": 1}


def test_attributes_keep_what_is_no_json() -> None:
    source = create(attributes={"valid_max": float("nan"), "names": ["a", "b"]})
    document = target_document(source, (1, 4), PLAIN)
    assert b"NaN" in metadata_files(document)["zarr.json"]


def test_reading_a_document_creates_no_folder(tmp_path: Any) -> None:
    path = StorePath(LocalStore(tmp_path / "target.zarr"))
    array = array_from_document(document_of(create(zarr_format=2)), path)
    assert document_of(array)["shape"] == [6, 4]
    assert list(tmp_path.iterdir()) == []


def test_a_codec_that_zarr_tunes_is_written_as_zarr_writes_it() -> None:
    options = parse_options({"compressors": zarr.codecs.BloscCodec(cname="lz4")})
    expected = create(dtype="f8", compressors=zarr.codecs.BloscCodec(cname="lz4"))
    document = target_document(create(dtype="f8"), (1, 4), options)
    assert document["codecs"] == document_of(expected)["codecs"]
