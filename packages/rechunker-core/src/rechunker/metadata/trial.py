"""Trying an encoding on one element, in memory, before anything is written."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import zarr
from zarr.dtype import parse_dtype
from zarr.storage import MemoryStore

from rechunker.metadata.document import Document, array_from_document, document_of, quiet
from rechunker.metadata.options import ArrayOptions, ZarrFormat

__all__ = ["REFUSALS", "refusal", "try_codecs", "try_encoding"]

# What Zarr and codecs refuse arguments with; these classes have none in common but Exception.
REFUSALS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError)


def try_encoding(
    array: zarr.Array[Any],
    zarr_format: ZarrFormat,
    options: ArrayOptions,
    codecs: Mapping[str, Any],
    *,
    big_endian: bool = False,
) -> Document:
    """Store one element as options say, read it, and return the metadata of its array.

    Zarr checks and completes what it is given; codecs check some of their arguments, and the
    dtype, only when they are used.

    Parameters
    ----------
    array
        The source: its dtype, and its fill value, are those of the trial.
    zarr_format
        Of the trial.
    options
        Fill value and keys of chunks, where they are named.
    codecs
        Arguments of `zarr.create_array`.
    big_endian
        Whether the dtype of v2 is one of big-endian elements.

    Raises
    ------
    TypeError, ValueError
        If Zarr or a codec refuses them.
    """
    words, dtype = options.named, array.metadata.dtype
    shape = (1,) * max(1, array.ndim)  # zarr 3.4 does not read 0-d arrays of bytes
    try:
        if big_endian:
            dtype = parse_dtype(array.dtype.newbyteorder(">"), zarr_format=zarr_format)
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of numpy; `_check_fill_value` follows
            trial = zarr.create_array(
                MemoryStore(),
                shape=shape,
                chunks=shape,
                dtype=dtype,
                zarr_format=zarr_format,
                fill_value=words.get("fill_value", array.metadata.fill_value),
                chunk_key_encoding=_key_encoding(array, zarr_format, words),
                **codecs,
            )
            _store_and_read(trial)
    except REFUSALS as error:
        raise refusal(_describe(array, zarr_format, words), error) from error
    _check_fill_value(words.get("fill_value"), trial)
    return document_of(trial)


def try_codecs(array: zarr.Array[Any], codecs: Iterable[dict[str, Any]]) -> None:
    """Store one element as an array of v3 would that has shards, and read it.

    Parameters
    ----------
    array
        The source.
    codecs
        As in v3 metadata.

    Raises
    ------
    TypeError, ValueError
        If Zarr cannot do it: before zarr 3.2 there are no shards of structures.
    """
    small = (1,) * max(1, array.ndim)
    try:
        with quiet():
            trial = zarr.create_array(
                MemoryStore(), shape=small, chunks=small, dtype=array.metadata.dtype
            )
            document = {**document_of(trial), "codecs": _with_chunks(codecs, small)}
            _store_and_read(array_from_document(document))
    except REFUSALS as error:
        raise refusal(f"shards cannot hold elements of dtype {array.dtype}", error) from error


def _with_chunks(codecs: Iterable[dict[str, Any]], chunks: tuple[int, ...]) -> list[Any]:
    """Return codecs of which those that shard have other chunks."""
    changed = []
    for codec in codecs:
        inner = dict(codec.get("configuration") or {})
        if "codecs" in inner:
            inner |= {"codecs": _with_chunks(inner["codecs"], chunks), "chunk_shape": chunks}
        changed.append({**codec, "configuration": inner} if inner else codec)
    return changed


def _store_and_read(trial: zarr.Array[Any]) -> None:
    array = trial.with_config({"write_empty_chunks": True})
    array[...] = np.full(array.shape, array.metadata.dtype.default_scalar(), dtype=array.dtype)
    array[...]


def _describe(array: zarr.Array[Any], zarr_format: int, words: Mapping[str, Any]) -> str:
    given = ", ".join(f"{word}={value!r}" for word, value in words.items())
    return (
        f"{given or 'the codecs of the source'} cannot be used for elements of dtype {array.dtype} "
        f"in Zarr format {zarr_format}"
    )


def refusal(what: str, error: Exception) -> TypeError | ValueError:
    """Return an error of ours for one of `REFUSALS`.

    Parameters
    ----------
    what
        What is refused.
    error
        Why.
    """
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"{what}: {str(error) or repr(error)}")


def _check_fill_value(given: Any, trial: zarr.Array[Any]) -> None:
    """Refuse a value that the dtype does not have; Zarr would take another one, silently."""
    kept, kind = trial.fill_value, trial.dtype.kind
    numbers = (int, float, np.number, np.bool_)
    differs = False
    if kind == "f" and isinstance(given, numbers):
        differs = np.isfinite(kept) != np.isfinite(given)
    elif isinstance(given, {"S": bytes, "U": str}.get(kind, numbers if kind in "biu" else ())):
        differs = kept != given
    if differs:
        raise ValueError(
            f"fill_value={given!r} is no value of dtype {trial.dtype}, which makes it {kept!r}"
        )


def _key_encoding(array: zarr.Array[Any], zarr_format: int, words: Mapping[str, Any]) -> Any:
    """Return what names chunks in the store; None: as is usual in the format."""
    separator = words.get("dimension_separator")
    if separator is None:
        return words.get("chunk_key_encoding")
    source = getattr(array.metadata, "chunk_key_encoding", None)
    name = "v2" if zarr_format == 2 else getattr(source, "name", "default")
    return {"name": name, "configuration": {"separator": separator}}
