"""Hostile documents: metadata of real arrays, groups and datasets, changed at random."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias

import numcodecs
import numpy as np
import xarray
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec, GzipCodec, TransposeCodec, ZstdCodec

from rechunker.metadata import quiet

__all__ = ["ARRAYS", "KINDS", "METADATA", "change", "make_store"]

METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
STRUCT = [("a", "i4"), ("b", "f8")]
Arguments: TypeAlias = dict[str, Any]
ARRAYS: dict[str, Arguments] = {
    "v2 zstd": {"dtype": "f8", "compressors": numcodecs.Zstd()},
    "v2 blosc, delta": {
        "dtype": "i4",
        "compressors": numcodecs.Blosc(),
        "filters": [numcodecs.Delta("i4")],
    },
    "v2 scaled, F": {
        "dtype": "f8",
        "compressors": numcodecs.Zlib(),
        "order": "F",
        "filters": [numcodecs.FixedScaleOffset(0, 10, "f8", "i2")],
    },
    "v2 lzma": {"dtype": "M8[s]", "compressors": numcodecs.LZMA(preset=1)},
    "v2 struct": {"dtype": STRUCT, "compressors": numcodecs.LZ4()},
    "v2 text": {"dtype": "U5", "compressors": numcodecs.GZip()},
    "v2 strings": {"dtype": str, "compressors": numcodecs.BZ2()},
    "v3 zstd": {"dtype": "f8", "compressors": ZstdCodec()},
    "v3 gzip, crc32c": {
        "dtype": "i2",
        "compressors": [GzipCodec(), Crc32cCodec()],
        "filters": [TransposeCodec(order=(1, 0))],
        "serializer": BytesCodec(endian="big"),
    },
    "v3 blosc": {"dtype": "f4", "compressors": zarr.codecs.BloscCodec(typesize=4)},
    "v3 shards": {"dtype": "u1", "shards": (6, 10), "dimension_names": ("time", "x")},
    "v3 strings": {"dtype": str},
    "v3 text": {"dtype": "U5"},
    "v3 struct": {"dtype": STRUCT},
}
GROUPS = ("v2 group", "v3 group", "v2 consolidated", "v3 consolidated")
DATASETS = ("v2 dataset", "v3 dataset")
KINDS: dict[str, tuple[str, ...]] = {
    "arrays": tuple(ARRAYS),
    "groups": GROUPS,
    "datasets": DATASETS,
}


def make_store(kind: str, folder: Path) -> None:
    """Write an array, a group or a dataset to a folder.

    Parameters
    ----------
    kind
        One of the values of `KINDS`.
    folder
        Where to write it.
    """
    zarr_format: Any = int(kind[1])
    with quiet():
        if kind in DATASETS:
            _dataset().to_zarr(folder, zarr_format=zarr_format, consolidated=zarr_format == 2)
        elif kind in GROUPS:
            _make_group(folder, zarr_format)
            if kind.endswith("consolidated"):
                zarr.consolidate_metadata(folder, zarr_format=zarr_format)
        else:
            arguments = {"shape": (6, 10), "chunks": (3, 5), **ARRAYS[kind]}
            zarr.create_group(folder, zarr_format=zarr_format)
            array = zarr.create_array(folder / "array", zarr_format=zarr_format, **arguments)
            array[:5] = _values(array.dtype)
            array.attrs.update({"units": "K", "_ARRAY_DIMENSIONS": ["time", "x"]})


def _values(dtype: np.dtype[Any]) -> Any:
    numbers = np.arange(50).reshape(5, 10)
    return (numbers.astype("U") if dtype.kind in "OTU" else numbers).astype(dtype)


def _make_group(folder: Path, zarr_format: Any) -> None:
    root = zarr.create_group(folder, zarr_format=zarr_format, attributes={"title": "real"})
    for name in ("a", "deep/er/b"):
        array = root.create_array(name, shape=(6, 10), chunks=(3, 5), dtype="i4")
        array[:5] = np.arange(50).reshape(5, 10)
        array.attrs["_ARRAY_DIMENSIONS"] = ["y", "x"]


def _dataset() -> xarray.Dataset:
    dataset = xarray.Dataset(
        {
            "air": (("time", "x"), np.arange(60.0).reshape(6, 10), {"units": "K"}),
            "name": ("x", np.array([f"n{i}" for i in range(10)], dtype=object)),
        },
        {"time": np.datetime64("2000-01-01", "ns") + np.arange(6) * np.timedelta64(1, "D")},
    )
    scale = {"dtype": "i2", "scale_factor": 0.5, "add_offset": 1.0, "_FillValue": -1}
    dataset["air"].encoding = {**scale, "chunks": (2, 10)}
    return dataset


# Values that stand for texts of JSON: what no dump can write, or only slowly.
RAW = {
    "deep lists": "[" * 2000 + "]" * 2000,
    "deep dicts": '{"a":' * 2000 + "1" + "}" * 2000,
    "very deep lists": "[" * 50_000 + "]" * 50_000,
    "huge digits": "9" * 5000,
    "not a number": "NaN",
    "infinite": "-Infinity",
    "overflow": "1e999",
}
HOSTILE: tuple[Any, ...] = (
    *(0, -1, 1, 2, 2**31, 2**40, 2**62, 2**63, 2**64, -(2**62), 10**30, 0.5, 1e300, -0.0),
    *(None, True, False, "", "x", "x" * 100_000, "\0", "\ud800", "../x", "/x", "C", "auto", "|O"),
    *("|V1000000000", "<U250000000", "|S1000000000", "<f8", "M8[ns]", "<M8[Y]", "0x7ff8", "=i4"),
    *([], {}, [[]], [1], [1, 2, 3], [-1, -1], [2**40, 2**40], [1] * 100, [0, 0], [None, None]),
    *({"name": "pickle"}, {"id": "pickle"}, [{"id": "pickle"}], {"name": "numcodecs.pickle"}),
    *({"id": "zstd", "level": 10**6}, {"id": "delta", "dtype": "|V1000000000"}, {"id": None}),
    {"id": "astype", "encode_dtype": "<U250000000", "decode_dtype": "<f8"},
    {"id": "lzma", "preset": 9, "filters": [{"id": 33, "dict_size": 2**30}]},
    {"name": "regular", "configuration": {"chunk_shape": [2**40, 2**40]}},
    {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": [[1], 2**40]}},
    {"name": "sharding_indexed", "configuration": {}},
    {"name": "fixed_length_utf32", "configuration": {"length_bytes": 10**9}},
    {"name": "null_terminated_bytes", "configuration": {"length_bytes": 10**9}},
    {"name": "struct", "configuration": {"fields": [["a", "r8000000000"]]}},
    *("r8000000000", "string", "variable_length_bytes", "int64", "bool", "complex128"),
    [["a", "|V1000000000"], ["b", "<f8", [10**6, 10**6]]],
    *({"raw": name} for name in RAW),
)
NAMES = ("attributes", "chunks", "codecs", "id", "name", "../x", "", "\0", "x" * 70_000, "a/b")

Place: TypeAlias = tuple[Any, Any]
"""A dict or a list, and the key of one of its values."""


def change(content: bytes, rng: random.Random) -> bytes:
    """Return metadata that are changed at random.

    Parameters
    ----------
    content
        A metadata object.
    rng
        Source of all choices.
    """
    document = json.loads(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = list(_places(document))
        if places:
            rng.choice(CHANGES)(places, rng)
    text = json.dumps(document)
    for name, raw in RAW.items():
        text = text.replace(json.dumps({"raw": name}), raw)
    return rng.choice(SPOILS)(text, rng) if rng.random() < 0.15 else text.encode()


def _places(document: Any) -> Iterator[Place]:
    """Yield the places of all values, from the outermost to the innermost."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _replace(places: list[Place], rng: random.Random) -> None:
    holder, key = rng.choice(places)
    holder[key] = deepcopy(rng.choice(HOSTILE))


def _wrap(places: list[Place], rng: random.Random) -> None:
    holder, key = rng.choice(places)
    value = deepcopy(holder[key])
    holder[key] = rng.choice(([value], [value, value], {"name": value}, str(value), [value] * 70))


def _delete(places: list[Place], rng: random.Random) -> None:
    holder, key = rng.choice(places)
    del holder[key]


def _rename(places: list[Place], rng: random.Random) -> None:
    holder, key = rng.choice([place for place in places if isinstance(place[0], dict)])
    name = rng.choice((*NAMES, str(key).upper()))
    holder[name] = holder.pop(key)


def _swap(places: list[Place], rng: random.Random) -> None:
    (one, key), (other, name) = rng.choice(places), rng.choice(places)
    one[key], other[name] = deepcopy(other[name]), deepcopy(one[key])


def _repeat(places: list[Place], rng: random.Random) -> None:
    lists = [holder[key] for holder, key in places if isinstance(holder[key], list)]
    if lists:
        values = rng.choice(lists)
        values += deepcopy(values) * rng.choice((1, 1, 50))


def _nudge(places: list[Place], rng: random.Random) -> None:
    numbers = [place for place in places if type(place[0][place[1]]) in (int, float)]
    if numbers:
        holder, key = rng.choice(numbers)
        holder[key] = rng.choice((-1, 2, 1000, 10**9, 0.5)) * holder[key] + rng.choice((0, 1, -1))


Change: TypeAlias = Callable[[list[Place], random.Random], None]
CHANGES: tuple[Change, ...] = (
    *(_replace, _replace, _replace, _replace),
    *(_wrap, _delete, _rename, _swap, _repeat, _nudge, _nudge),
)


def _truncate(text: str, rng: random.Random) -> bytes:
    return text.encode()[: rng.randrange(len(text))]


def _no_text(text: str, rng: random.Random) -> bytes:
    middle = rng.randrange(len(text))
    return text.encode()[:middle] + rng.randbytes(3) + text.encode()[middle:]


def _duplicate_key(text: str, rng: random.Random) -> bytes:
    extra = rng.choice(('"shape": [0]', '"zarr_format": 2', '"attributes": []', '"node_type": "x"'))
    return text.rstrip("} \n").encode() + b", " + extra.encode() + b"}"


def _other(text: str, rng: random.Random) -> bytes:
    return rng.choice(
        (b"", b"[]", b"null", b"\0", b"\xff\xfe{}", b"[" * 50_000, text.encode("utf-16"))
    )


SPOILS: tuple[Callable[[str, random.Random], bytes], ...] = (
    *(_truncate, _no_text, _duplicate_key, _other),
)
