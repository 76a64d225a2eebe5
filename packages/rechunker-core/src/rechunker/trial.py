"""Trying an encoding on one element, in memory, before anything is written."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from zarr.dtype import parse_dtype
from zarr.storage import MemoryStore

from rechunker.metadata import Document, document_of, quiet
from rechunker.options import ArrayOptions, ZarrFormat

__all__ = ["REFUSALS", "refusal", "try_encoding"]

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
                config={"write_empty_chunks": True},
                **codecs,
            )
            trial[...] = np.full(shape, dtype.default_scalar(), dtype=trial.dtype)
            trial[...]
    except REFUSALS as error:
        raise refusal(_describe(array, zarr_format, words), error) from error
    _check_fill_value(words.get("fill_value"), trial)
    return document_of(trial)


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
    if kind in "biu" and isinstance(given, int | float | np.number | np.bool_):
        differs = kept != given
    elif kind == "f" and isinstance(given, int | float | np.number):
        differs = np.isfinite(kept) != np.isfinite(given)
    else:
        differs = kind in "SU" and isinstance(given, type(kept).__mro__[1]) and kept != given
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
