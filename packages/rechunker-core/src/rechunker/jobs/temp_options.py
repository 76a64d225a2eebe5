"""What `temp_options` mean: how the cells of temporary objects are encoded."""

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
    ZarrReader,
    byte_codec,
    has_any_length,
)
from rechunker.jobs.job import TempPlace
from rechunker.metadata import chain_of, codecs_of, document_of, parse_options, quiet
from rechunker.sources import ArrayRequest, Hierarchy

__all__ = ["temp_places"]


def temp_places(
    hierarchy: Hierarchy,
    path: StorePath | None,
    temp_options: Mapping[str, Any] | None,
    target_options: Mapping[str, Any] | None,
) -> dict[str, TempPlace] | None:
    """Return where the temporary objects of every array go; None if no place is given.

    Parameters
    ----------
    hierarchy
        The arrays.
    path
        Where that is.
    temp_options, target_options
        As the user gave them. Where the former is None the latter counts, as far as it can.

    Raises
    ------
    ValueError
        If the options make no sense.
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
    if has_any_length(reader.dtype):
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
        f"temp_options: {given!r} cannot compress temporary objects; give one of blosc, zstd, "
        "lz4, gzip, zlib, bz2 or lzma, or None"
    )


def _object_metadata(request: ArrayRequest) -> str:
    """Return metadata with codecs for the elements: the source's, or those of its target."""
    reader = request.source.reader
    if isinstance(reader, ZarrReader):
        return reader.array.metadata
    document = request.document
    if document["zarr_format"] == 3:
        document = {**document, "codecs": codecs_of(chain_of(document["codecs"]))}
    return json.dumps({**document, "attributes": {}})


def _compressors(options: Mapping[str, Any] | None, strict: bool) -> Any:
    if strict:
        return parse_options(options, where="temp_options").named.get("compressors")
    return (options or {}).get("compressors", (options or {}).get("compressor"))


def _config(codec: Any, dtype: np.dtype[Any]) -> Mapping[str, Any] | None:
    """Return a codec's configuration, as Zarr would write it for elements of this type."""
    old = hasattr(codec, "codec_id") or (isinstance(codec, Mapping) and "id" in codec)
    with quiet():
        array = zarr.create_array(
            MemoryStore(),
            shape=(1,),
            chunks=(1,),
            dtype=dtype,
            compressors=codec,
            zarr_format=2 if old else 3,
        )
        document = document_of(array)
    return document["compressor"] if old else document["codecs"][-1]  # type: ignore[no-any-return]
