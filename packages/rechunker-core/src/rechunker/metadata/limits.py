"""Limits: the largest chunks and elements, the most dimensions, and codecs that run code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import zarr

from rechunker.metadata.codec_chain import chain_of
from rechunker.metadata.document import DTYPE_ARGUMENTS, Document, chunk_shapes

__all__ = ["check_codec_limits", "check_codecs_of_source", "check_source", "codec_limit"]

# Bytes: BLOSC_MAX_BUFFERSIZE of c-blosc 1, and LZ4_MAX_INPUT_SIZE.
CODEC_LIMITS = {"blosc": 2**31 - 1 - 16, "lz4": 2_113_929_216}
MOST_DIMENSIONS = 64  # NPY_MAXDIMS of NumPy 2


# Bytes. One element is the least that a task can hold, and codecs are tried on a few.
LARGEST_ELEMENT = 2**22
# What these decode may be a program, which they run.
_CODE = ("pickle",)
_TYPES = ("dtype", "data_type")
_LENGTHS = ("length_bytes", "length", "itemsize")
_RAW = re.compile(r"r(\d{1,30})")  # number of bits
_SIZED = re.compile(r"[<>|=]?([SUVa])(\d{1,30})")
_CODECS = ("filters", "compressor", "codecs")


def check_source(array: zarr.Array[Any]) -> None:
    """Check that an array can be read in little memory, whoever wrote its metadata.

    Parameters
    ----------
    array
        Source array. See also `check_codecs_of_source`.

    Raises
    ------
    ValueError
        If it has too many dimensions, or too large elements.
    """
    _check_dimensions(array.shape)
    _check_element(array.dtype, "its elements")


def check_codecs_of_source(document: Mapping[str, Any]) -> None:
    """Check that no codec of a source runs code, and that no elements are huge.

    Parameters
    ----------
    document
        Metadata of an array, which Zarr need not have parsed yet.

    Raises
    ------
    ValueError
        If there is such a codec, be it in shards, or such a dtype.
    """
    for size in _element_sizes([document.get(key) for key in _TYPES]):
        if size > LARGEST_ELEMENT:
            raise ValueError(_too_large("its elements", size))
    for codec in _dicts([document.get(key) for key in _CODECS]):
        name = codec.get("id", codec.get("name"))
        if isinstance(name, str) and name.rpartition(".")[2].lower() in _CODE:
            raise ValueError(
                f"its metadata name the codec {name!r}, which runs any program that somebody has "
                "put into a chunk; if you trust the source, read it with Zarr and give the "
                "elements as a dask array"
            )
        for key in DTYPE_ARGUMENTS:
            with_size = codec.get(key)
            if isinstance(with_size, str):
                _check_element(with_size, f"the elements that its codec {name!r} makes")


def _element_sizes(dtypes: Iterable[Any]) -> Iterator[int]:
    """Yield the bytes of all parts of dtypes in metadata that Zarr has not parsed.

    Zarr makes a fill value of a dtype when it parses the metadata.
    """
    waiting = list(dtypes)
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and (bits := _RAW.fullmatch(value)):
            yield int(bits[1]) // 8
        elif isinstance(value, str):
            yield _itemsize(value)
        elif isinstance(value, dict):
            # The name of a field may be anything; that of a type may tell its size.
            is_field = "data_type" in value
            waiting += [v for key, v in value.items() if not (is_field and key == "name")]
            yield from (value[key] for key in _LENGTHS if isinstance(value.get(key), int))
        elif isinstance(value, list | tuple):
            is_field = len(value) > 1 and isinstance(value[0], str)
            waiting += value[1:] if is_field else value
            numbers = [n for n in value if isinstance(n, int)]
            yield prod(numbers) if len(numbers) == len(value) else 0


def _dicts(value: Any) -> Iterator[dict[Any, Any]]:
    """Yield all dicts in a JSON value."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value


def _check_element(dtype: Any, what: str) -> None:
    itemsize = _itemsize(dtype)
    if itemsize > LARGEST_ELEMENT:
        raise ValueError(_too_large(what, itemsize))


def _too_large(what: str, itemsize: int) -> str:
    return (
        f"{what} have {itemsize} bytes each, and no more than {LARGEST_ELEMENT} are supported; "
        "store them as an array with one more dimension"
    )


def _itemsize(dtype: Any) -> int:
    """Return the bytes of an element; 0 for a text that names no dtype of any size."""
    if isinstance(dtype, np.dtype):
        return dtype.itemsize
    found = _SIZED.fullmatch(dtype)
    return int(found[2]) * (4 if found[1] == "U" else 1) if found else 0


def _check_dimensions(shape: Sequence[int]) -> None:
    if len(shape) > MOST_DIMENSIONS:
        raise ValueError(
            f"the array has {len(shape)} dimensions, but NumPy arrays, and so chunks in memory, "
            f"have no more than {MOST_DIMENSIONS}; it cannot be read"
        )


def check_codec_limits(document: Document, itemsize: int) -> None:
    """Check that every codec of an array can hold a chunk.

    Parameters
    ----------
    document
        Metadata of the array.
    itemsize
        Bytes of one decoded element.

    Raises
    ------
    ValueError
        If a chunk, or an inner chunk of a shard, is too large for one of its codecs.
    """
    chunks = chunk_shapes(document).chunks
    if chunks is None:
        return
    nbytes = prod(chunks) * itemsize
    for name in _names(document):
        limit = CODEC_LIMITS.get(name)
        if limit is not None and nbytes > limit:
            raise ValueError(
                f"a chunk of shape {chunks} has {nbytes} bytes, but the codec {name!r} can hold no "
                f"more than {limit}; choose smaller target_chunks, or another compressor such as "
                "zstd"
            )


def codec_limit(document: Document) -> int | None:
    """Return the most bytes that every codec of an array can hold; None without a limit."""
    return min(
        (CODEC_LIMITS[name] for name in _names(document) if name in CODEC_LIMITS), default=None
    )


def _names(document: Document) -> list[str]:
    """Return the names of all codecs, as in Zarr format 2."""
    if document["zarr_format"] == 2:
        codecs = [*(document["filters"] or ()), document["compressor"]]
        return [codec["id"] for codec in codecs if codec is not None]
    chain = chain_of(document["codecs"])
    return [codec["name"].removeprefix("numcodecs.") for codec in chain.compressors]
