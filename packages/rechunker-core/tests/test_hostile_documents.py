"""Metadata and chunks that nobody can trust: no code is run, and memory and time are bounded."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import struct
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hostile_trials
import numcodecs
import numpy as np
import pytest
import xarray
import zarr
from cases import about
from zarr.buffer import cpu
from zarr.codecs import BytesCodec, GzipCodec, ZstdCodec
from zarr.storage import LocalStore, MemoryStore

from rechunker import MemoryLimitError, digest, rechunk
from rechunker.copying import CopyError
from rechunker.metadata import quiet

# Documents of each kind.
DOCUMENTS = {"arrays": 800, "groups": 110, "datasets": 100}
# Bytes besides max_mem, and seconds, that no source may take.
MARGIN, SECONDS = 300_000_000, 30


def test_there_are_a_thousand_documents() -> None:
    assert sum(DOCUMENTS.values()) >= 1000


@pytest.mark.parametrize("group", DOCUMENTS)
def test_documents_that_were_changed_at_random(group: str, tmp_path: Path) -> None:
    """Each is rechunked, or refused by an ordinary error, and nothing else is touched."""
    program = [sys.executable, hostile_trials.__file__, group, "0", str(DOCUMENTS[group])]
    done = subprocess.run([*program, str(tmp_path)], capture_output=True, text=True, check=False)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert not [outcome for outcome in outcomes if outcome[2].startswith("error")]
    assert len(outcomes) == DOCUMENTS[group], done.stderr[-4000:]
    assert outcomes[-1][3] - outcomes[0][3] < hostile_trials.MAX_MEM + MARGIN
    assert {"done", "refused"} <= {outcome[2].split(":")[0] for outcome in outcomes}


@contextmanager
def bounded() -> Iterator[None]:
    """Check that what runs within takes little memory and time."""
    start = time.monotonic()
    tracemalloc.start(1)
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MARGIN
    finally:
        tracemalloc.stop()
    assert time.monotonic() - start < SECONDS


def document_v2(**changed: Any) -> dict[str, Any]:
    plain = {"zarr_format": 2, "shape": [4], "chunks": [2], "dtype": "<f8", "fill_value": None}
    return {**plain, "order": "C", "compressor": None, "filters": None, **changed}


def document_v3(data_type: Any, *codecs: Any, **changed: Any) -> dict[str, Any]:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [4],
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
        "chunk_key_encoding": {"name": "default"},
        "data_type": data_type,
        "fill_value": 0,
        "codecs": codecs or [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {},
        **changed,
    }


def group_of(folder: Path, document: dict[str, Any], **files: bytes) -> zarr.Group:
    """Return a group whose only array, "a", has this document and these chunks."""
    zarr_format = document["zarr_format"]
    group = zarr.create_group(folder / "source", zarr_format=zarr_format)
    name = ".zarray" if zarr_format == 2 else "zarr.json"
    (folder / "source" / "a").mkdir()
    (folder / "source" / "a" / name).write_text(json.dumps(document))
    for key, content in files.items():
        path = folder / "source" / "a" / key.lstrip("_").replace("_", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return group


def rechunk_group(group: zarr.Group, folder: Path, chunks: Any = None, **options: Any) -> Any:
    return rechunk(
        group,
        {"a": chunks},
        "50MB",
        folder / "target",
        temp_store=folder / "temp",
        executor="python",
        **options,
    )


# Sizes


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_trillion_chunks_of_one_element_are_planned_lazily(
    tmp_path: Path, zarr_format: Any
) -> None:
    source = zarr.create_array(
        tmp_path / "s", shape=(2**40,), chunks=(1,), dtype="f8", zarr_format=zarr_format
    )
    with bounded():
        plan = rechunk(source, None, "50MB", tmp_path / "t", executor="python")
        assert plan.copy_plan[""].stages[0].puts == 2**40


def test_an_axis_of_2_to_the_62_is_planned_lazily(tmp_path: Path) -> None:
    source = zarr.create_array(tmp_path / "s", shape=(2**62,), chunks=(2**20,), dtype="u1")
    with bounded():
        rechunk(source, None, "50MB", tmp_path / "t", executor="python")


@pytest.mark.parametrize("shape", [(2**62, 2**62), (2**40,) * 60])
def test_shapes_without_end_are_refused(tmp_path: Path, shape: Any) -> None:
    source = zarr.create_array(tmp_path / "s", shape=shape, chunks=(1,) * len(shape), dtype="f8")
    with bounded(), pytest.raises(ValueError, match="choose larger target_chunks"):
        rechunk(source, None, "50MB", tmp_path / "t", executor="python")


@pytest.mark.parametrize("dtype", ["f8", "U5", str, [("a", "i4"), ("b", "f8")]])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_of_a_trillion_elements_do_not_fit(
    tmp_path: Path, dtype: Any, zarr_format: Any
) -> None:
    chunks = (2**20, 2**20)
    with quiet():
        source = zarr.create_array(
            tmp_path / "s", shape=(10, 10), chunks=chunks, dtype=dtype, zarr_format=zarr_format
        )
    with bounded(), pytest.raises(MemoryLimitError, match="raise max_mem"):
        rechunk(source, (5, 5), "50MB", tmp_path / "t", executor="python")


def test_chunks_of_a_trillion_strings_that_are_stored_do_not_fit(tmp_path: Path) -> None:
    codec = {"id": "vlen-utf8"}
    document = document_v2(dtype="|O", filters=[codec], chunks=[2**40], fill_value="")
    group = group_of(tmp_path, document, _0=bytes(8))
    with bounded(), pytest.raises(MemoryLimitError, match="raise max_mem"):
        rechunk_group(group, tmp_path, (2,))


GIGANTIC: dict[str, dict[str, Any]] = {
    "v2 bytes": document_v2(dtype="|S1000000000", fill_value="QQ=="),
    "v2 raw": document_v2(dtype="|V1000000000"),
    "v2 raw, filled": document_v2(dtype="|V1000000000", fill_value="QQ=="),
    "v2 text": document_v2(dtype="<U250000000", fill_value="x"),
    "v2 struct": document_v2(dtype=[["a", "|V1000000000"], ["b", "<f8"]]),
    "v2 many fields": document_v2(dtype=[["a", "<f8", [10**5, 10**4]], ["b", "<f8"]]),
    "v2 filter": document_v2(
        filters=[{"id": "astype", "encode_dtype": "<U250000000", "decode_dtype": "<f8"}]
    ),
    "v2 differences": document_v2(filters=[{"id": "delta", "dtype": "<U250000000"}]),
    "v3 bytes": document_v3(
        {"name": "null_terminated_bytes", "configuration": {"length_bytes": 10**9}}, fill_value=""
    ),
    "v3 raw": document_v3("r8000000000", fill_value=""),
    "v3 text": document_v3(
        {"name": "fixed_length_utf32", "configuration": {"length_bytes": 10**9}}, fill_value="x"
    ),
}


@pytest.mark.parametrize("options", [{}, {"zarr_format": 3}, {"compressors": None}])
@pytest.mark.parametrize("name", GIGANTIC)
def test_elements_of_a_gigabyte_are_refused(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    group = group_of(tmp_path, GIGANTIC[name])
    with bounded(), pytest.raises(ValueError, match="array 'a'|target_options|no more than"):
        rechunk_group(group, tmp_path, target_options={"a": {"order": "C", **options}})
    assert not (tmp_path / "target").exists()


def test_filters_that_each_make_elements_larger_are_no_bomb(tmp_path: Path) -> None:
    scaled = {"id": "fixedscaleoffset", "scale": 10, "offset": 0, "dtype": "<f8", "astype": "|i1"}
    group = group_of(tmp_path, document_v2(filters=[scaled] * 40), _0=bytes(2), _1=bytes(2))
    with bounded(), pytest.raises((ValueError, CopyError), match="a/0|cannot be"):
        rechunk_group(group, tmp_path, (4,)).execute()


def test_an_encoder_with_a_huge_dictionary_counts_as_memory(tmp_path: Path) -> None:
    lzma = {"id": "lzma", "format": 1, "filters": [{"id": 33, "preset": 6, "dict_size": 2**30}]}
    group = group_of(tmp_path, document_v2(compressor=lzma))
    with bounded(), pytest.raises(MemoryLimitError, match="raise max_mem"):
        rechunk_group(group, tmp_path, (4,))


# Code


class Trap:
    """Unpickled, it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


PICKLE_V3 = {"name": "numcodecs.pickle", "configuration": {"protocol": 4}}
BYTES_V3 = {"name": "bytes", "configuration": {"endian": "little"}}
INDEX_V3 = {"index_codecs": [BYTES_V3], "index_location": "end"}
PICKLES: dict[str, dict[str, Any]] = {
    "filter": document_v2(filters=[{"id": "pickle"}]),
    "second filter": document_v2(filters=[{"id": "delta", "dtype": "<f8"}, {"id": "pickle"}]),
    "filter of objects": document_v2(dtype="|O", filters=[{"id": "pickle"}]),
    "compressor": document_v2(compressor={"id": "pickle"}),
    "serializer": document_v3("float64", PICKLE_V3),
    "compressor of format 3": document_v3("float64", BYTES_V3, PICKLE_V3),
    "in shards": document_v3(
        "float64",
        {
            "name": "sharding_indexed",
            "configuration": {"chunk_shape": [1], "codecs": [BYTES_V3, PICKLE_V3], **INDEX_V3},
        },
    ),
    "index of shards": document_v3(
        "float64",
        {
            "name": "sharding_indexed",
            "configuration": {
                "chunk_shape": [1],
                "codecs": [BYTES_V3],
                "index_codecs": [BYTES_V3, PICKLE_V3],
            },
        },
    ),
}


@pytest.mark.parametrize("name", PICKLES)
def test_codecs_that_run_code_are_refused(tmp_path: Path, name: str) -> None:
    trap = pickle.dumps(Trap(tmp_path / "trapped"))
    group = group_of(tmp_path, PICKLES[name], _0=trap, _1=trap, _c_0=trap)
    with pytest.raises(ValueError, match=r"array 'a' .*pickle.* runs any program"):
        rechunk_group(group, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"source"}


def test_an_array_whose_codec_makes_gigantic_elements_is_refused(tmp_path: Path) -> None:
    """Zarr opens it; it opens no array with a codec that runs code."""
    group_of(tmp_path, GIGANTIC["v2 filter"])
    array = zarr.open_array(tmp_path / "source" / "a", mode="r")
    with bounded(), pytest.raises(ValueError, match=r"the source cannot be read: .*'astype'"):
        rechunk(array, (4,), "50MB", tmp_path / "target", executor="python")


@pytest.mark.parametrize("chunks", [None, {}])
def test_a_dataset_whose_codec_makes_gigantic_elements_is_refused(
    tmp_path: Path, chunks: Any
) -> None:
    group_of(tmp_path, GIGANTIC["v2 filter"])
    (tmp_path / "source" / "a" / ".zattrs").write_text('{"_ARRAY_DIMENSIONS": ["x"]}')
    dataset = xarray.open_zarr(tmp_path / "source", consolidated=False, chunks=chunks)
    with bounded(), pytest.raises(ValueError, match=r"variable 'a' cannot be read: .*'astype'"):
        rechunk(dataset, {"x": 4}, "50MB", tmp_path / "target", executor="python")


# Chunks


WORDS = np.array(["a", "bb", "ccc", "dddd"], dtype=object)


def strings(zarr_format: Any, **options: Any) -> tuple[zarr.Array[Any], dict[str, Any], str]:
    """Return an array of strings, its objects, and the key of the only chunk."""
    objects: dict[str, Any] = {}
    array = zarr.create_array(
        MemoryStore(objects), shape=(4,), chunks=(4,), dtype=str, zarr_format=zarr_format, **options
    )
    array[...] = WORDS.astype(array.dtype)
    return array, objects, "0" if zarr_format == 2 else "c/0"


ZEROS = bytes(150_000_000)
BOMBS: dict[str, tuple[int, dict[str, Any], Any]] = {
    "v2 zstd": (2, {"compressors": numcodecs.Zstd()}, numcodecs.Zstd()),
    "v2 lz4": (2, {"compressors": numcodecs.LZ4()}, numcodecs.LZ4()),
    "v2 blosc": (2, {"compressors": numcodecs.Blosc()}, numcodecs.Blosc()),
    "v2 gzip": (2, {"compressors": numcodecs.GZip()}, numcodecs.GZip()),
    "v2 zlib": (2, {"compressors": numcodecs.Zlib()}, numcodecs.Zlib()),
    "v2 bz2": (2, {"compressors": numcodecs.BZ2()}, numcodecs.BZ2()),
    "v2 lzma": (2, {"compressors": numcodecs.LZMA()}, numcodecs.LZMA(preset=0)),
    "v3 zstd": (3, {"compressors": ZstdCodec()}, numcodecs.Zstd()),
    "v3 gzip": (3, {"compressors": GzipCodec()}, numcodecs.GZip()),
}


@pytest.mark.parametrize("name", BOMBS)
def test_strings_that_decode_to_far_more_are_an_error(name: str) -> None:
    zarr_format, options, codec = BOMBS[name]
    array, objects, key = strings(zarr_format, **options)
    bomb = codec.encode(ZEROS)
    with bounded():
        plan = rechunk(array, (2,), "200MB", {}, executor="python")
        objects[key] = cpu.Buffer.from_bytes(bytes(bomb))
        with pytest.raises(CopyError, match=rf"chunk \(0,\) at .*{key}.* decodes to"):
            plan.execute()
        # The elements are sampled when the plan is made.
        with pytest.raises(ValueError, match=rf"chunk \(0,\) at .*{key}.* decodes to"):
            rechunk(array, (2,), "200MB", {}, executor="python")


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("count", [5, 2**31, 2**32 - 1])
def test_strings_that_claim_to_be_many_are_an_error(zarr_format: int, count: int) -> None:
    array, objects, key = strings(zarr_format, compressors=None)
    objects[key] = cpu.Buffer.from_bytes(struct.pack("<I", count) + bytes(16))
    with bounded(), pytest.raises(ValueError, match=rf"{key} .*says it has {count} elements"):
        rechunk(array, (2,), "50MB", {}, executor="python")


@pytest.mark.parametrize("compressor", [ZstdCodec(), GzipCodec()])
def test_an_inner_chunk_that_decodes_to_far_more_is_an_error(compressor: Any) -> None:
    codec = numcodecs.Zstd() if isinstance(compressor, ZstdCodec) else numcodecs.GZip()
    array, objects = shards(compressors=compressor)
    bomb = bytes(codec.encode(ZEROS))
    objects["c/0"] = shard([(0, len(bomb)), (0, len(bomb))], bomb)
    with bounded(), pytest.raises(CopyError, match=r"chunk \(0,\) at .*c/0.* decodes to"):
        rechunk(array, (4,), "50MB", {}, executor="python").execute()


def shards(**options: Any) -> tuple[zarr.Array[Any], dict[str, Any]]:
    """Return an array with one shard of two inner chunks, without a checksum, and its objects."""
    objects: dict[str, Any] = {}
    array = zarr.create_array(
        MemoryStore(objects), shape=(4,), chunks=(2,), shards=(4,), dtype="f8", **options
    )
    array[...] = [1, 2, 3, 4]
    document = json.loads(objects["zarr.json"].to_bytes())
    document["codecs"][0]["configuration"]["index_codecs"] = [BytesCodec().to_dict()]
    objects["zarr.json"] = cpu.Buffer.from_bytes(json.dumps(document).encode())
    return zarr.open_array(MemoryStore(objects), mode="r"), objects


def shard(index: list[tuple[int, int]], content: bytes) -> Any:
    """Return a shard: inner chunks, and an index of their offsets and sizes."""
    return cpu.Buffer.from_bytes(content + b"".join(struct.pack("<QQ", *part) for part in index))


@pytest.mark.parametrize(
    "part", [(10**6, 16), (0, 10**12), (2**63, 16), (2**64 - 2, 2**64 - 2), (0, 2**63), (8, 0)]
)
def test_an_index_that_points_outside_of_its_shard_is_an_error(part: tuple[int, int]) -> None:
    """Also where Zarr takes such inner chunks for missing ones (zarr 3.1.6)."""
    array, objects = shards(compressors=None)
    objects["c/0"] = shard([(0, 16), part], bytes(32))
    with bounded(), pytest.raises(CopyError, match=r"chunk \(0,\) at .*c/0, inner chunk \(1,\)"):
        rechunk(array, (4,), "50MB", {}, executor="python").execute()


def test_strings_that_repeat_themselves_are_no_bomb() -> None:
    objects: dict[str, Any] = {}
    array = zarr.create_array(MemoryStore(objects), shape=(10**5,), chunks=(10**5,), dtype=str)
    array[...] = np.full(10**5, "the name of a station", dtype=object).astype(array.dtype)
    target = rechunk(array, (10**4,), "200MB", {}, executor="python").execute()
    assert set(np.unique(np.asarray(target[...], dtype=object))) == {"the name of a station"}


def test_a_stream_without_a_size_is_bounded_by_its_blocks() -> None:
    """A frame of Zstandard need not state its size; each of its blocks holds 128 kB at most."""
    array, objects, key = strings(2, compressors=numcodecs.Zstd())
    run = (2**17 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (2**17 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    frame = struct.pack("<I", 0xFD2FB528) + bytes([0, 0x58]) + run * 10_000 + last
    objects[key] = cpu.Buffer.from_bytes(frame)
    with bounded(), pytest.raises(ValueError, match="decodes to 1310851072 bytes"):
        rechunk(array, (2,), "50MB", {}, executor="python")


# Hierarchies


class HostileStore(LocalStore):
    """Lists names that lead elsewhere, each of them an array, an empty one a group."""

    listed = ("../x", "/x", "a/../../b", "", ".", "..", "a\\..\\..\\x", "b\0", "good")

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        for name in self.listed:
            yield name


def test_names_in_a_listing_that_lead_elsewhere_are_no_members(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "in" / "source")
    root.create_array("good", shape=(4,), chunks=(2,), dtype="i4")[...] = 7
    zarr.create_array(tmp_path / "in" / "x", shape=(4,), chunks=(2,), dtype="i4")
    group = zarr.open_group(HostileStore(tmp_path / "in" / "source"), mode="r")
    with bounded():
        plan = rechunk(group, {"good": (4,)}, "50MB", tmp_path / "in" / "target", executor="python")
        plan.execute()
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["source", "target", "x"]
    assert sorted(path.name for path in (tmp_path / "in" / "target").iterdir()) == [
        "good",
        "zarr.json",
    ]


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../../b", ".", "..", "a\\..\\x", "b\0", "x" * 300, "y/" * 3000]
)
def test_target_chunks_name_arrays_of_the_source_alone(tmp_path: Path, name: str) -> None:
    for zarr_format in (2, 3):
        with about(zarr_format):
            top = tmp_path / str(zarr_format)
            zarr.create_array(top / "x", shape=(4,), chunks=(2,), dtype="i4")
            group = zarr.create_group(top / "source", zarr_format=zarr_format)
            with bounded(), pytest.raises(ValueError, match="the source has no"):
                rechunk(group, {name: (4,)}, "50MB", top / "t", executor="python")


@pytest.mark.parametrize("links", [1, 2])
def test_links_in_a_circle_are_refused(tmp_path: Path, links: int) -> None:
    root = zarr.create_group(tmp_path / "source")
    root.create_group("inner")
    root.create_array("a", shape=(4,), chunks=(2,), dtype="i4")
    for number in range(links):
        (tmp_path / "source" / "inner" / f"link{number}").symlink_to(tmp_path / "source")
    with bounded(), pytest.raises(ValueError, match="symbolic links .*remove these links"):
        rechunk(root, {"a": (4,)}, "50MB", tmp_path / "target", executor="python")


def test_links_that_double_at_every_level_are_refused(tmp_path: Path) -> None:
    for level in range(30):
        group = zarr.create_group(tmp_path / str(level))
        for name in ("left", "right"):
            (tmp_path / str(level) / name).symlink_to(tmp_path / str(level + 1))
    assert group is not None
    zarr.create_array(tmp_path / "0" / "a", shape=(4,), chunks=(2,), dtype="i4")
    with bounded(), pytest.raises(ValueError, match="symbolic links"):
        rechunk(zarr.open_group(tmp_path / "0"), {"a": (4,)}, "50MB", {}, executor="python")


def test_a_link_to_another_group_is_followed(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "source")
    zarr.create_array(tmp_path / "other" / "a", shape=(4,), chunks=(2,), dtype="i4")[...] = 7
    zarr.create_group(tmp_path / "other")
    (tmp_path / "source" / "link").symlink_to(tmp_path / "other")
    target: Any = rechunk(root, {"link/a": (4,)}, "50MB", {}, executor="python").execute()
    assert (target["link/a"][...] == 7).all()


def test_groups_that_are_nested_2000_deep_are_refused() -> None:
    objects: dict[str, Any] = {}
    root = zarr.create_group(MemoryStore(objects))
    root.create_array("a", shape=(4,), chunks=(2,), dtype="i4")[...] = 7
    for depth in range(1, 2001):
        objects["g/" * depth + "zarr.json"] = objects["zarr.json"]
    with bounded(), pytest.raises(ValueError, match="nested more than 100 levels deep"):
        rechunk(root, {"a": (4,)}, "50MB", {}, executor="python")


def test_a_group_with_5000_names_that_are_no_members(tmp_path: Path) -> None:
    root = zarr.create_group(tmp_path / "source")
    root.create_array("a", shape=(4,), chunks=(2,), dtype="i4")
    for number in range(5000):
        (tmp_path / "source" / f"{number}").touch()
    with bounded():
        rechunk(root, {"a": (4,)}, "50MB", tmp_path / "target", executor="python")


# Attributes and names of dimensions


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_of_20_megabytes_are_copied(zarr_format: Any) -> None:
    text = "x" * 20_000_000
    source = zarr.create_array(
        {}, shape=(4,), chunks=(2,), dtype="i4", zarr_format=zarr_format, attributes={"a": text}
    )
    target = rechunk(source, (4,), "50MB", {}, executor="python").execute()
    assert target.attrs["a"] == text


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_attributes_that_are_nested_too_deeply_are_refused(
    tmp_path: Path, zarr_format: int
) -> None:
    deep = "[" * 20_000 + "]" * 20_000
    document = document_v2() if zarr_format == 2 else document_v3("float64")
    group = group_of(tmp_path, document)
    path = tmp_path / "source" / "a" / ("zarr.json" if zarr_format == 3 else ".zattrs")
    if zarr_format == 3:
        path.write_text(json.dumps(document).replace('"attributes": {}', f'"attributes": {deep}'))
    else:
        path.write_text(f'{{"deep": {deep}}}')
    with pytest.raises(ValueError, match="'a' of the source .* nested more than 200 levels deep"):
        rechunk_group(group, tmp_path)


NAMES: dict[str, Any] = {
    "paths": ["../x"],
    "no text": [{"a": 1}],
    "numbers": [1],
    "one text": "x",
    "too many": ["x"] * 1000,
    "a huge one": ["x" * 10**6],
    "surrogates": ["\ud800"],
    "none": [None],
    "no list": {"x": 1},
    "nested": [[["x"]]],
}


@pytest.mark.parametrize("name", NAMES)
def test_names_of_dimensions_are_copied_and_nothing_more(tmp_path: Path, name: str) -> None:
    """Format 2 keeps them in an attribute, where anything may stand."""
    group = group_of(tmp_path, document_v2(), _0=bytes(16), _1=bytes(16))
    attributes = json.dumps({"_ARRAY_DIMENSIONS": NAMES[name]})
    (tmp_path / "source" / "a" / ".zattrs").write_text(attributes)
    target = rechunk_group(group, tmp_path, (4,)).execute()
    assert target["a"].attrs["_ARRAY_DIMENSIONS"] == NAMES[name]
    assert {path.name for path in tmp_path.iterdir()} == {"source", "target", "temp"}


def test_a_gzip_bomb_of_numbers_names_the_chunk(tmp_path: Path) -> None:
    group = group_of(
        tmp_path, document_v2(compressor={"id": "gzip", "level": 1}), _0=gzip.compress(ZEROS, 1)
    )
    with bounded(), pytest.raises(CopyError, match=r"chunk \(0,\) at .*a/0: .*more than 16 bytes"):
        rechunk_group(group, tmp_path, (4,)).execute()


def test_long_texts_that_compress_well_are_honest() -> None:
    source = zarr.create_array({}, shape=(100_000,), chunks=(100_000,), dtype=str)
    source[...] = np.full(100_000, "G" * 1000, object)
    assert len(str(digest(source, max_mem="4GB"))) == 32


@pytest.mark.filterwarnings("ignore:The data type .* does not have a Zarr V3 specification")
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_names_of_fields_are_no_types(zarr_format: Any) -> None:
    fields: Any = [("S20240101", "f4"), ("V20240101", "i4"), ("r40000000", "i2")]
    source = zarr.create_array({}, shape=(10,), chunks=(5,), dtype=fields, zarr_format=zarr_format)
    plan = rechunk(source, (10,), "1MB", {}, executor="python")
    assert plan.execute().dtype == np.dtype(fields)
