"""Arrays of one Zarr format whose target has the other."""

from __future__ import annotations

from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
import zarr.codecs
from option_targets import BIG, BYTES, TRANSPOSE, ZSTD, copied, create, encoded, target

from rechunker.metadata import array_from_document, document_of

FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])


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


@FORMATS
def test_the_order_of_bytes_moves_with_the_format(zarr_format: Any) -> None:
    given: Any = {"dtype": ">f4"} if zarr_format == 2 else {"dtype": "f4", "serializer": BIG}
    document = target(create(zarr_format=zarr_format, **given), zarr_format=5 - zarr_format)
    assert document.get("dtype", document.get("codecs", [None])[0]) in (">f4", BIG)


@FORMATS
def test_every_kind_of_dtype_goes_to_the_other_format(zarr_format: Any) -> None:
    for dtype in ("?", "u2", "c8", "M8[ms]", "m8[D]", "U4", "S4", str):
        source = create(dtype=dtype, zarr_format=zarr_format)
        document = target(source, zarr_format=5 - zarr_format)
        made = array_from_document(document)
        assert made.dtype == source.dtype, dtype
        # The fill value of times is NaT, which equals nothing.
        assert made.fill_value == source.fill_value or made.dtype.kind in "mM", dtype


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


def test_a_codec_that_an_option_replaces_needs_no_counterpart() -> None:
    words = numcodecs.Categorize(["a"], dtype="U1")
    zstd = numcodecs.Zstd(level=0)
    given: Any = {"zarr_format": 2, "dtype": "U1"}
    source = create(filters=[words], compressors=numcodecs.Base64(), **given)
    options: Any = {"filters": None, "compressors": zstd, "zarr_format": 3}
    assert encoded(source, **options) == [BYTES, ZSTD]
    for named, kept in (("filters", "base64"), ("compressors", "categorize")):
        with pytest.raises(ValueError, match=f"no counterpart of codec '{kept}'"):
            target(source, **{named: options[named]}, zarr_format=3)
    codec = zarr.codecs.TransposeCodec(order=(1, 2, 0))
    cube = create(shape=(2, 2, 2), chunks=(2, 2, 2), filters=[codec])
    for option, order in (({"filters": []}, "C"), ({"order": "F"}, "F")):
        document = target(cube, (2, 2, 2), zarr_format=2, **option)
        assert (document["filters"], document["order"]) == (None, order)


def test_an_option_replaces_all_that_the_source_has_under_its_name() -> None:
    shuffle, zlib = numcodecs.Shuffle(4), numcodecs.Zlib(level=1)
    old = create(zarr_format=2, filters=[shuffle], compressors=zlib)
    in_format_3 = {"name": "numcodecs.shuffle", "configuration": {"elementsize": 4}}
    new = create(compressors=[in_format_3, zarr.codecs.ZstdCodec()])
    names = [codec["name"] for codec in encoded(old, filters=None, zarr_format=3)]
    assert names == ["bytes", "numcodecs.zlib"]
    document = target(new, compressors=zlib, zarr_format=2)
    assert (document["filters"], document["compressor"]["id"]) == (None, "zlib")
    document = target(new, filters=None, zarr_format=2)
    assert (document["filters"], document["compressor"]["id"]) == (None, "zstd")
