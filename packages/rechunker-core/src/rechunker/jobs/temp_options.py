"""Temp options: what `temp_options` say about the encoding of temporary objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from zarr.storage import MemoryStore, StorePath

from rechunker.copying import (
    CellCodec,
    CompressedCells,
    ObjectCellCodec,
    byte_codec,
    is_variable_length,
)
from rechunker.jobs.job import TempPlace
from rechunker.metadata import chain_of, codecs_of, document_of, is_v2, parse_options, quiet
from rechunker.sources import ArrayRequest, Hierarchy

__all__ = ["temp_places"]


def temp_places(
    hierarchy: Hierarchy,
    path: StorePath | None,
    temp_options: Mapping[str, Any] | None,
    target_options: Mapping[str, Any] | None,
) -> dict[str, TempPlace] | None:
    """Return where the temporary objects of every array go; None without a temp store.

    Parameters
    ----------
    hierarchy
        Arrays and groups of the target.
    path
        Place of the temp store.
    temp_options, target_options
        Arguments of `rechunker.rechunk`. Without `temp_options`, the compressor of
        `target_options` is used if it can compress cells.

    Raises
    ------
    ValueError, TypeError
        If `temp_options` are not valid.
    """
    strict = temp_options is not None
    options = temp_options if strict else target_options
    if hierarchy.plain_temp:
        strict, options = False, None
    if path is None:
        return None
    places = {}
    for request in hierarchy.arrays:
        own = (options or {}).get(request.name) if hierarchy.groups is not None else options
        places[request.name] = TempPlace(path, _cell_codec(request, own, strict))
    return places


def _cell_codec(
    request: ArrayRequest, options: Mapping[str, Any] | None, strict: bool
) -> CellCodec | None:
    reader = request.source.reader
    given = _compressors(options, strict)
    if is_variable_length(reader.dtype):
        return ObjectCellCodec(_object_metadata(request))
    codecs = list(given) if isinstance(given, list | tuple) else [given]
    if not codecs or codecs[0] is None:
        return None
    config = _config(codecs[0], reader.dtype) if len(codecs) == 1 else None
    found = byte_codec(config, reader.dtype.itemsize) if config else None
    if found is not None:
        return CompressedCells(reader.dtype, found)
    if not strict:
        return None
    raise ValueError(
        f"temp_options: {given!r} cannot compress temporary objects; use one of blosc, zstd, "
        "lz4, gzip, zlib, bz2 or lzma, or None"
    )


def _object_metadata(request: ArrayRequest) -> str:
    """Return a document with codecs for the elements: the source's, or else the target's."""
    stored = request.source.reader.stored
    document = request.document if stored is None else stored.document
    if document["zarr_format"] == 3:
        document = {**document, "codecs": codecs_of(chain_of(document["codecs"]))}
    return json.dumps({**document, "attributes": {}})


def _compressors(options: Mapping[str, Any] | None, strict: bool) -> Any:
    if strict:
        return parse_options(options, where="temp_options").named.get("compressors")
    return (options or {}).get("compressors", (options or {}).get("compressor"))


def _config(codec: Any, dtype: np.dtype[Any]) -> Mapping[str, Any] | None:
    """Return the metadata that Zarr would write for a codec and elements of this dtype."""
    v2 = is_v2(codec)
    with quiet():
        array = zarr.create_array(
            MemoryStore(),
            shape=(1,),
            chunks=(1,),
            dtype=dtype,
            compressors=codec,
            zarr_format=2 if v2 else 3,
        )
        document = document_of(array)
    return document["compressor"] if v2 else document["codecs"][-1]  # type: ignore[no-any-return]
