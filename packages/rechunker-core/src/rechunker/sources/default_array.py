"""The Zarr array of a source that has but a shape and a dtype: all else is Zarr's default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from zarr.storage import MemoryStore

from rechunker.metadata import (
    REFUSALS,
    ArrayOptions,
    Document,
    codec_name,
    normalize_chunks,
    quiet,
    refusal,
    target_document,
)

__all__ = ["default_document"]


def default_document(
    array: Any, chunks: Any, options: ArrayOptions, default: Sequence[int] | None, itemsize: int
) -> Document:
    """Return the metadata of the target of an array of NumPy or Dask.

    Parameters
    ----------
    array
        Array of NumPy or Dask.
    chunks
        Target chunks, as `normalize_chunks` takes them; names are those in ``dimension_names``.
    options
        Options of the target; they say what its elements are if they are objects.
    default
        Chunks where none are given.
    itemsize
        Bytes of an element.

    Raises
    ------
    TypeError, ValueError
        If Zarr cannot store elements of this dtype, or the chunks or options are not allowed.
    """
    names, limit = options.named.get("dimension_names"), options.limit
    target_chunks = normalize_chunks(
        chunks, array.shape, names, default, itemsize=itemsize, limit=limit
    )
    template = _array_in_memory(array, target_chunks, options)
    return target_document(template, target_chunks, options, itemsize=itemsize)


def _array_in_memory(array: Any, chunks: tuple[int, ...], options: ArrayOptions) -> zarr.Array[Any]:
    """Return an empty Zarr array of the shape and the dtype of another array."""
    dtype = str if _is_text(array.dtype, options) else array.dtype
    if np.dtype(dtype).kind == "O" and dtype is not str:
        kind = type(array)
        raise TypeError(
            f"Zarr cannot tell what the elements of a {kind.__module__}.{kind.__qualname__} are, "
            "as its dtype is object; for strings, use array.astype(numpy.dtypes.StringDType()) or "
            "target_options={'filters': numcodecs.VLenUTF8()}; otherwise use another dtype"
        )
    try:
        with quiet():
            return zarr.create_array(
                MemoryStore(),
                shape=array.shape,
                chunks=chunks,
                dtype=dtype,
                zarr_format=options.zarr_format,
            )
    except REFUSALS as error:
        raise refusal(f"Zarr cannot store elements of dtype {array.dtype}", error) from error


def _is_text(dtype: np.dtype[Any], options: ArrayOptions) -> bool:
    """Return whether objects are strings according to the codecs in the options."""
    values = [options.named.get(name) for name in ("filters", "serializer")]
    codecs = [
        c for value in values for c in (value if isinstance(value, list | tuple) else [value])
    ]
    return dtype.kind == "O" and any(codec_name(codec) == "vlen-utf8" for codec in codecs)
