"""The Zarr array of a source that has but a shape and a dtype: all else is Zarr's default."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from zarr.storage import MemoryStore

from rechunker.metadata import REFUSALS, ArrayOptions, codec_name, quiet, refusal

__all__ = ["array_in_memory"]


def array_in_memory(array: Any, chunks: tuple[int, ...], options: ArrayOptions) -> zarr.Array[Any]:
    """Return an empty Zarr array of the shape and the dtype of another array.

    Parameters
    ----------
    array
        Array of NumPy or Dask.
    chunks
        Chunks of the Zarr array.
    options
        Options that say its format, and what its elements are if they are objects.

    Raises
    ------
    TypeError, ValueError
        If Zarr cannot store elements of this dtype.
    """
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
