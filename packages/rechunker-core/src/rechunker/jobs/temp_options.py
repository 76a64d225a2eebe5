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
from rechunker.metadata import (
    Document,
    chain_of,
    codec_limit,
    codecs_of,
    document_of,
    is_v2,
    parse_options,
    quiet,
)
from rechunker.sources import ArrayRequest, Given, Hierarchy, Members, options_by_array

__all__ = ["temp_place", "temp_places"]


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
    given = _by_name(hierarchy, temp_options if strict else target_options, strict)
    if hierarchy.plain_temp:
        strict, given = False, {}
    # Without a temp store they go nowhere, but the options are checked.
    place = StorePath(MemoryStore()) if path is None else path
    places = {
        request.name: _temp_place(place, request, given.get(request.name), strict)
        for request in (hierarchy.arrays if path is not None or strict else ())
    }
    return None if path is None else places


def _by_name(hierarchy: Hierarchy, options: Any, strict: bool) -> dict[str, Given]:
    """Return options by name of an array."""
    what = "temp_options" if strict else "target_options"
    if hierarchy.groups is None:
        return {"": Given(options or {}, what)}
    if not isinstance(options, Mapping | None):
        raise TypeError(f"{what} must be a dict by path of an array, got {options!r}")
    whole = ("overwrite", "zarr_format")
    own = {k: v for k, v in (options or {}).items() if k not in whole or isinstance(v, Mapping)}
    names = (*(request.name for request in hierarchy.arrays), *hierarchy.left_out)
    groups = frozenset(hierarchy.groups)
    members = Members(names, groups, dims_of=lambda name: (), kind="group", has_dims=False)
    return options_by_array(own, members, what)


def _temp_place(
    path: StorePath, request: ArrayRequest, own: Given | None, strict: bool
) -> TempPlace:
    dtype = request.source.reader.dtype
    options, where = own or Given({}, "temp_options")
    given = _compressors(options, where, strict)
    if is_variable_length(dtype):
        return temp_place(path, request, _object_document(request))
    codecs = list(given) if isinstance(given, list | tuple) else [given]
    if not codecs or codecs[0] is None:
        return temp_place(path, request, None)
    if len(codecs) == 1:
        document = _document(codecs[0], dtype)
        if byte_codec(_config(document), dtype.itemsize) is not None:
            return temp_place(path, request, document)
    if not strict:
        return temp_place(path, request, None)
    raise ValueError(
        f"{where}: {given!r} cannot compress temporary objects; use one of blosc, zstd, "
        "lz4, gzip, zlib, bz2 or lzma, or None"
    )


def temp_place(path: StorePath, request: ArrayRequest, document: Document | None) -> TempPlace:
    """Return where the temporary objects of an array go.

    Parameters
    ----------
    path
        Place of the temp store.
    request
        The array.
    document
        Metadata of an array that say how cells are encoded; None for raw cells.

    Raises
    ------
    ValueError
        If cells cannot be encoded in that way.
    """
    if document is None:
        return TempPlace(path, None)
    limit, codec = codec_limit(document), _cell_codec(request, document)
    return TempPlace(path, codec, limit, document=document)


def _cell_codec(request: ArrayRequest, document: Document) -> CellCodec:
    dtype = request.source.reader.dtype
    if is_variable_length(dtype):
        return ObjectCellCodec(json.dumps(document), request.source.itemsize)
    found = byte_codec(_config(document), dtype.itemsize)
    if found is None:
        raise ValueError(f"cells cannot be encoded with {_config(document)!r}")
    return CompressedCells(dtype, found)


def _object_document(request: ArrayRequest) -> Document:
    """Return a document with codecs for the elements: the source's, or else the target's."""
    stored = request.source.reader.stored
    document = request.document if stored is None else stored.document
    if document["zarr_format"] == 3:
        document = {**document, "codecs": codecs_of(chain_of(document["codecs"]))}
    return {**document, "attributes": {}}


def _compressors(options: Mapping[str, Any], where: str, strict: bool) -> Any:
    if strict:
        return parse_options(options, where=where).named.get("compressors")
    return options.get("compressors", options.get("compressor"))


def _document(codec: Any, dtype: np.dtype[Any]) -> Document:
    """Return the metadata that Zarr would write for a codec and elements of this dtype."""
    with quiet():
        array = zarr.create_array(
            MemoryStore(),
            shape=(1,),
            chunks=(1,),
            dtype=dtype,
            compressors=codec,
            zarr_format=2 if is_v2(codec) else 3,
        )
        return document_of(array)


def _config(document: Document) -> Mapping[str, Any]:
    """Return the metadata of the compressor."""
    if document["zarr_format"] == 2:
        return document["compressor"]  # type: ignore[no-any-return]
    return document["codecs"][-1]  # type: ignore[no-any-return]
