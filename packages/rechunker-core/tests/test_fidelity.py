"""A target differs from its source in the chunks, and in nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from cases import about
from hypothesis import given
from zarr.codecs import BloscCodec, BytesCodec
from zarr.dtype import VariableLengthBytes
from zarr.testing.strategies import arrays

import rechunker
from rechunker.metadata import document_of

STABLE = ["?", "i1", "u2", "i4", "u8", "f2", "f4", "f8", "c8", "c16", "M8[s]", "m8[ns]"]
UNSTABLE = ["S7", "U5", "V6", [("a", "i4"), ("b", "f8")]]
STRINGS = [str, VariableLengthBytes()]
ALL = pytest.mark.filterwarnings(
    "ignore::zarr.errors.UnstableSpecificationWarning", "ignore::zarr.errors.ZarrUserWarning"
)


def values(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """Return values of any type, none of them the usual fill value."""
    n = int(np.prod(shape))
    if dtype.kind in "TO":
        words = [("x" * (i % 40 + 1) + str(i)) for i in range(n)]
        made = words if dtype.kind == "T" else [word.encode() for word in words]
        return np.array(made, dtype).reshape(shape)
    if dtype.kind == "U":
        return np.array([str(i + 1) for i in range(n)], dtype).reshape(shape)
    raw = np.random.default_rng(3).integers(1, 100, (n, dtype.itemsize), np.uint8)
    return (raw % 2 if dtype.kind == "b" else raw).view(dtype).reshape(shape)


def rechunk(source: Any, chunks: Any, **kwargs: Any) -> zarr.Array[Any]:
    kwargs = {"max_mem": "1MB", "target_store": {}, "executor": "python", **kwargs}
    target = rechunker.rechunk(source, chunks, **kwargs).execute()
    assert isinstance(target, zarr.Array)
    return target


def assert_same(a: zarr.Array[Any], b: zarr.Array[Any]) -> None:
    """Compare values bit by bit."""
    one, other = np.asarray(a[...]), np.asarray(b[...])
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    if one.dtype.kind in "TO":
        assert one.tolist() == other.tolist()
    else:
        assert one.tobytes() == other.tobytes()


def document(array: zarr.Array[Any]) -> dict[str, Any]:
    """Return the metadata but for the chunks."""
    found = document_of(array)
    return {key: value for key, value in found.items() if key not in ("chunks", "chunk_grid")}


@ALL
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("dtype", STABLE + UNSTABLE + STRINGS, ids=str)
def test_dtype(dtype: Any, zarr_format: Any) -> None:
    source = zarr.create_array(
        {}, shape=(13, 7), chunks=(4, 7), dtype=dtype, zarr_format=zarr_format
    )
    source[...] = values(source.dtype, source.shape)
    stores: dict[str, Any] = {"direct": None, "temp": {}}
    for name, temp in stores.items():
        with about(name):
            target = rechunk(source, (13, 2), temp_store=temp, max_mem=40000)
            assert_same(source, target)
            assert document(source) == document(target)
            assert target.chunks == (13, 2)


@ALL
@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("dtype", STRINGS, ids=str)
def test_strings_of_any_length_through_temp(dtype: Any, zarr_format: Any) -> None:
    source = zarr.create_array(
        {}, shape=(200, 60), chunks=(2, 60), dtype=dtype, zarr_format=zarr_format
    )
    source[...] = values(source.dtype, source.shape)
    with pytest.raises(rechunker.MemoryLimitError) as caught:
        rechunk(source, (200, 2), max_mem=1, temp_store={})
    plan = rechunker.rechunk(
        source, (200, 2), int(1.3 * caught.value.needed), {}, temp_store={}, executor="python"
    )
    assert plan.intermediate is not None
    target = plan.execute()
    assert isinstance(target, zarr.Array)
    assert_same(source, target)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_fill_value(zarr_format: Any) -> None:
    given: dict[str, Any] = {"shape": (9,), "chunks": (3,), "dtype": "f8"}
    for fill in (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5):
        source = zarr.create_array({}, fill_value=fill, zarr_format=zarr_format, **given)
        source[:4] = [0.0, -0.0, np.nan, 7.0]
        target = rechunk(source, (2,))
        with about(fill):
            assert_same(source, target)
            assert document(source) == document(target)


def test_no_fill_value_in_v2() -> None:
    source = zarr.create_array(
        {}, shape=(9,), chunks=(3,), dtype="i4", fill_value=None, zarr_format=2
    )
    source[:4] = 5
    target = rechunk(source, (2,))
    assert_same(source, target)
    assert target.metadata.fill_value is None
    assert target.nchunks_initialized == target.nchunks


@pytest.mark.parametrize("chunks", [(4,), None], ids=["rechunked", "as they are"])
def test_missing_chunks_stay_missing(chunks: Any) -> None:
    source = zarr.create_array({}, shape=(100,), chunks=(2,), dtype="i4", fill_value=9)
    source[40:44] = 1
    target = rechunk(source, chunks)
    assert_same(source, target)
    assert target.nchunks_initialized == (1 if chunks else 2)


@ALL
@pytest.mark.parametrize("dtype", ["f8", "M8[s]", *STRINGS], ids=str)
def test_missing_chunks_without_a_fill_value(dtype: Any) -> None:
    source = zarr.create_array(
        {}, shape=(10, 3), chunks=(2, 3), dtype=dtype, fill_value=None, zarr_format=2
    )
    source[4:6] = values(source.dtype, (2, 3))
    assert_same(source, rechunk(source, (4, 2)))


def test_missing_chunks_are_written_on_request() -> None:
    source = zarr.create_array({}, shape=(10,), chunks=(2,), dtype="i4", fill_value=9)
    target = rechunk(source, (5,), target_options={"write_empty_chunks": True})
    assert target.nchunks_initialized == 2


def test_other_bits_of_nan_are_not_empty() -> None:
    source = zarr.create_array({}, shape=(4,), chunks=(4,), dtype="f8", fill_value=np.nan)
    source[...] = np.array([0x7FF8_0000_0000_0001] * 4, "u8").view("f8")
    assert_same(source, rechunk(source.with_config({"write_empty_chunks": True}), (2,)))


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_order(order: Any) -> None:
    source = zarr.create_array(
        {}, shape=(12, 10), chunks=(4, 10), dtype="f4", order=order, zarr_format=2
    )
    source[...] = np.arange(120).reshape(12, 10)
    target = rechunk(source, (12, 3))
    assert_same(source, target)
    assert target.order == order


def test_big_endian() -> None:
    source = zarr.create_array(
        {}, shape=(12,), chunks=(5,), dtype="i4", serializer=BytesCodec(endian="big")
    )
    source[...] = np.arange(12)
    target = rechunk(source, (4,))
    assert_same(source, target)
    assert document(source) == document(target)


@pytest.mark.parametrize(
    "codec",
    [numcodecs.Delta(dtype="<i4"), numcodecs.PackBits(), numcodecs.Shuffle(4)],
    ids=lambda codec: codec.codec_id,
)
def test_filters(codec: Any) -> None:
    dtype = "?" if codec.codec_id == "packbits" else "<i4"
    source = zarr.create_array(
        {}, shape=(12, 10), chunks=(4, 10), dtype=dtype, filters=[codec], zarr_format=2
    )
    source[...] = values(source.dtype, source.shape)
    target = rechunk(source, (12, 3))
    assert_same(source, target)
    assert target.filters == source.filters


@pytest.mark.parametrize(("chunks", "shards"), [((6, 4), (12, 8)), ((24, 4), None)])
def test_sharded_source(chunks: tuple[int, ...], shards: Any) -> None:
    source = zarr.create_array({}, shape=(24, 20), chunks=(3, 5), shards=(12, 10), dtype="i4")
    source[...] = np.arange(480).reshape(24, 20) + 1
    target = rechunk(source, chunks)
    assert_same(source, target)
    assert (target.chunks, target.shards) == (chunks, shards)


def test_sharded_target() -> None:
    source = zarr.create_array({}, shape=(24, 20), chunks=(3, 20), dtype="i4")
    source[...] = np.arange(480).reshape(24, 20) + 1
    target = rechunk(source, (4, 2), target_options={"shards": (24, 10)})
    assert_same(source, target)
    assert (target.chunks, target.shards) == ((4, 2), (24, 10))


def test_shards_are_kept_where_chunks_are() -> None:
    source = zarr.create_array({}, shape=(24,), chunks=(2,), shards=(8,), dtype="i4")
    source[...] = np.arange(24)
    target = rechunk(source, None)
    assert_same(source, target)
    assert document_of(source) == document_of(target)


def test_same_encoding_is_copied_byte_for_byte() -> None:
    source = zarr.create_array({}, shape=(24,), chunks=(5,), dtype="i4", compressors=BloscCodec())
    source[...] = np.arange(24)
    target = rechunk(source, None)
    for key in ("c/0", "c/4"):
        stored = [array.store._store_dict[key].to_bytes() for array in (source, target)]  # type: ignore[attr-defined]
        assert stored[0] == stored[1]


@pytest.mark.parametrize(("old", "new"), [(2, 3), (3, 2)])
def test_other_format(old: Any, new: Any) -> None:
    source = zarr.create_array({}, shape=(24, 3), chunks=(5, 3), dtype="f4", zarr_format=old)
    source[...] = np.arange(72).reshape(24, 3)
    target = rechunk(source, (24, 1), target_options={"zarr_format": new})
    assert_same(source, target)
    assert target.metadata.zarr_format == new


def test_attributes_and_dimension_names(tmp_path: Path) -> None:
    source = zarr.create_array(
        tmp_path / "s",
        shape=(4, 6),
        chunks=(4, 2),
        dtype="f8",
        dimension_names=("y", "x"),
        attributes={"units": "K", "missing": float("nan")},
    )
    source[...] = 1.5
    target = rechunk(source, {"x": -1}, target_store=tmp_path / "t")
    assert target.chunks == (4, 6)
    assert target.metadata.dimension_names == ("y", "x")  # type: ignore[union-attr]
    assert str(target.attrs.asdict()) == str(source.attrs.asdict())


@ALL
@given(source=arrays())
def test_whatever_zarr_can_make(source: zarr.Array[Any]) -> None:
    chunks = tuple(max(1, (n + 1) // 2) for n in source.shape)
    target = rechunk(source, chunks, max_mem="100MB")
    assert_same(source, target)
