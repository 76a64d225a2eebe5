"""Trials: one element is encoded and decoded in memory before a target is written."""

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
from rechunker.metadata.wording import REFUSALS, refusal

__all__ = ["try_codecs", "try_encoding"]


def try_encoding(
    array: zarr.Array[Any],
    zarr_format: ZarrFormat,
    options: ArrayOptions,
    codecs: Mapping[str, Any],
    *,
    big_endian: bool = False,
) -> Document:
    """Write one element to an array in memory, read it, and return the metadata of the array.

    Zarr checks and completes its arguments when it creates the array. Codecs check the dtype, and
    some of their arguments, only when they encode.

    Parameters
    ----------
    array
        Source array, whose dtype the trial has, and whose fill value if options name none.
    zarr_format
        Zarr format of the trial.
    options
        Options of the target; only the fill value and the chunk keys are used.
    codecs
        Codec arguments of `zarr.create_array`.
    big_endian
        Whether the dtype must be big-endian; for Zarr format 2 only.

    Returns
    -------
    dict
        Metadata of the trial, whose shape is one element.

    Raises
    ------
    TypeError, ValueError
        If Zarr or a codec rejects the arguments, or the fill value does not fit the dtype.
    """
    named, dtype = options.named, array.metadata.dtype
    shape = (1,) * max(1, array.ndim)  # zarr 3.4 cannot read 0-d arrays of bytes
    try:
        if big_endian:
            dtype = parse_dtype(array.dtype.newbyteorder(">"), zarr_format=zarr_format)
        with quiet(), warnings.catch_warnings():
            # NumPy warns of fill values that do not fit; `_check_fill_value` raises for them.
            warnings.simplefilter("ignore", RuntimeWarning)
            trial = zarr.create_array(
                MemoryStore(),
                shape=shape,
                chunks=shape,
                dtype=dtype,
                zarr_format=zarr_format,
                fill_value=named.get("fill_value", array.metadata.fill_value),
                chunk_key_encoding=_key_encoding(array, zarr_format, named),
                **codecs,
            )
            _store_and_read(trial)
    except REFUSALS as error:
        raise refusal(_describe(array, zarr_format, named), error) from error
    _check_fill_value(named.get("fill_value"), trial)
    return document_of(trial)


def try_codecs(array: zarr.Array[Any], codecs: Iterable[dict[str, Any]]) -> None:
    """Write one element to an array with shards in memory, and read it.

    Parameters
    ----------
    array
        Source array, whose dtype the trial has.
    codecs
        Codecs of the target, as in Zarr format 3 metadata.

    Raises
    ------
    TypeError, ValueError
        If Zarr cannot store the dtype in shards, as zarr before 3.2 with structured dtypes.
    """
    shape = (1,) * max(1, array.ndim)
    try:
        with quiet():
            trial = zarr.create_array(
                MemoryStore(), shape=shape, chunks=shape, dtype=array.metadata.dtype
            )
            document = {**document_of(trial), "codecs": _with_inner_chunks(codecs, shape)}
            _store_and_read(array_from_document(document))
    except REFUSALS as error:
        what = f"shards cannot hold elements of dtype {array.dtype} (use shards=None)"
        raise refusal(what, error) from error


def _with_inner_chunks(codecs: Iterable[dict[str, Any]], chunks: tuple[int, ...]) -> list[Any]:
    """Return codecs with another chunk shape in all sharding codecs."""
    changed = []
    for codec in codecs:
        configuration = dict(codec.get("configuration") or {})
        if "codecs" in configuration:
            configuration["codecs"] = _with_inner_chunks(configuration["codecs"], chunks)
            configuration["chunk_shape"] = chunks
        changed.append({**codec, "configuration": configuration} if configuration else codec)
    return changed


def _store_and_read(trial: zarr.Array[Any]) -> None:
    array = trial.with_config({"write_empty_chunks": True})
    array[...] = np.full(array.shape, array.metadata.dtype.default_scalar(), dtype=array.dtype)
    array[...]


def _describe(array: zarr.Array[Any], zarr_format: int, named: Mapping[str, Any]) -> str:
    options = ", ".join(f"{name}={value!r}" for name, value in named.items())
    what = options or "the codecs of the source"
    return f"{what} cannot be used for dtype {array.dtype} in Zarr format {zarr_format}"


def _check_fill_value(fill_value: Any, trial: zarr.Array[Any]) -> None:
    """Check that the dtype can hold a fill value; Zarr would silently change it."""
    stored, kind = trial.fill_value, trial.dtype.kind
    numbers = (int, float, np.number, np.bool_)
    differs = False
    if kind == "f" and isinstance(fill_value, numbers):
        differs = np.isfinite(stored) != np.isfinite(fill_value)
    elif isinstance(fill_value, {"S": bytes, "U": str}.get(kind, numbers if kind in "biu" else ())):
        differs = stored != fill_value
    if differs:
        raise ValueError(
            f"fill_value={fill_value!r} does not fit dtype {trial.dtype}, which would change it "
            f"to {stored!r}; give a value of that dtype"
        )


def _key_encoding(array: zarr.Array[Any], zarr_format: int, named: Mapping[str, Any]) -> Any:
    """Return the chunk key encoding that options ask for; None for the default of the format."""
    separator = named.get("dimension_separator")
    if separator is None:
        return named.get("chunk_key_encoding")
    source = getattr(array.metadata, "chunk_key_encoding", None)
    name = "v2" if zarr_format == 2 else getattr(source, "name", "default")
    return {"name": name, "configuration": {"separator": separator}}
