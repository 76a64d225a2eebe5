"""Metadata of the targets that options make of small sources."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import zarr

from rechunker.metadata import array_from_document, parse_options, target_document

BYTES = {"name": "bytes", "configuration": {"endian": "little"}}
BIG = {"name": "bytes", "configuration": {"endian": "big"}}
TRANSPOSE = {"name": "transpose", "configuration": {"order": [1, 0]}}
ZSTD = {"name": "zstd", "configuration": {"level": 0, "checksum": False}}


def create(**given: Any) -> zarr.Array[Any]:
    """Create an array of any dtype without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        defaults = {"store": {}, "shape": (6, 4), "chunks": (3, 4), "dtype": "i4"}
        return zarr.create_array(**{**defaults, **given})


def target(source: zarr.Array[Any], chunks: Any = (1, 4), /, **options: Any) -> dict[str, Any]:
    """Return the metadata document of a target."""
    return target_document(source, chunks, parse_options(options))


def encoded(source: zarr.Array[Any], **options: Any) -> list[Any]:
    """Return the codecs of a v3 target."""
    found: list[Any] = target(source, **options)["codecs"]
    return found


def copied(source: zarr.Array[Any], **options: Any) -> zarr.Array[Any]:
    """Copy the elements of an array to a target with these options."""
    document = target(source, **options)
    made = array_from_document(document)
    made[...] = np.asarray(source[...]).astype(made.dtype)
    return made
