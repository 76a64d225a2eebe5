"""Metadata of a target: that of its source, changed by the new chunks and the options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import zarr

from rechunker.metadata.attributes import with_attributes
from rechunker.metadata.chain_formats import chain_v2_of, chain_v3_of
from rechunker.metadata.codec_chain import chain_of, codecs_of, shard
from rechunker.metadata.document import Document, document_of, with_chunk_shape
from rechunker.metadata.encoding import encode_v2, encode_v3
from rechunker.metadata.grid import TargetGrid, target_grid
from rechunker.metadata.limits import check_source
from rechunker.metadata.objects import metadata_files
from rechunker.metadata.options import ArrayOptions
from rechunker.metadata.round_trip import check_round_trip
from rechunker.metadata.trial_array import try_codecs
from rechunker.metadata.wording import REFUSALS, refusal

__all__ = ["target_document"]

# Options that change codecs, that change chunk keys, and all that a trial turns into metadata.
_CODECS = frozenset({"compressors", "filters", "order", "serializer"})
_CHUNK_KEYS = frozenset({"chunk_key_encoding", "dimension_separator"})
_ENCODING = _CODECS | _CHUNK_KEYS | {"fill_value"}


def target_document(
    array: zarr.Array[Any],
    chunks: Sequence[int] | None,
    options: ArrayOptions,
    source: Document | None = None,
    itemsize: int | None = None,
) -> Document:
    """Return the metadata of the target of an array.

    Parameters
    ----------
    array
        Source array.
    chunks
        Chunk shape of the target; None to keep the chunks and shards of the source.
    options
        Options of the target. Everything else is as in the source: format, dtype and byte order,
        fill value, codecs, dimension names, chunk keys, attributes, and what other programs keep
        in the metadata; and so are shards, as far as new chunks allow.
    source
        Metadata of the array, if they are known (`document_of`).
    itemsize
        Bytes of an element; None for those of the dtype.

    Returns
    -------
    dict
        A document for `array_from_document` and `metadata_files`.

    Raises
    ------
    ValueError, TypeError
        If the array cannot be stored with these chunks and options.

    Examples
    --------
    >>> from rechunker.metadata.options import parse_options
    >>> source = zarr.create_array({}, shape=(8, 8), chunks=(8, 1), dtype="i4", zarr_format=2)
    >>> document = target_document(source, (1, 8), parse_options({"compressor": None}))
    >>> document["chunks"], document["compressor"]
    ([1, 8], None)
    """
    check_source(array)
    source = document_of(array) if source is None else source
    build = _document_v2 if (options.zarr_format or source["zarr_format"]) == 2 else _document_v3
    try:
        grid = target_grid(array, source, chunks, options, itemsize or array.dtype.itemsize)
        document = build(array, source, grid, options)
        document = with_attributes(array, source, document, options.named)
        _check(document)
    except (TypeError, ValueError) as error:
        raise refusal(options.where, error) from error
    return document


def _check(document: Document) -> None:
    """Check that Zarr accepts the metadata, and that codecs return what they encode."""
    if document["zarr_format"] == 3:
        check_round_trip(document["codecs"], len(document["shape"]))
    try:
        metadata_files(document)
    except REFUSALS as error:
        raise refusal("Zarr rejects the metadata of the target", error) from error


def _document_v3(
    array: zarr.Array[Any], source: Document, grid: TargetGrid, options: ArrayOptions
) -> Document:
    same, named = source["zarr_format"] == 3, {*options.named}
    tried: Document = {}
    if not same or named & _ENCODING:
        tried = encode_v3(array, chain_v3_of(source, options.named), options)
    document = dict(source) if same else {**tried, "shape": source["shape"]}
    document |= {key: tried[key] for key in _changed_keys(named, "chunk_key_encoding")}
    if same and grid.kept and not named & _CODECS:
        return document
    codecs = codecs_of(chain_of((tried if named & _CODECS else document)["codecs"]))
    outer = grid.chunks
    if grid.shards is not None:
        codecs, outer = shard(codecs, grid.chunks, grid.index), grid.shards
        try_codecs(array, codecs)
    return with_chunk_shape({**document, "codecs": codecs}, outer)


def _document_v2(
    array: zarr.Array[Any], source: Document, grid: TargetGrid, options: ArrayOptions
) -> Document:
    if options.named.get("shards") is not None:
        raise ValueError(
            f"shards: Zarr format 2 has no shards, got {options.named['shards']!r}; "
            "use zarr_format=3, or leave shards out"
        )
    same, named = source["zarr_format"] == 2, {*options.named}
    tried: Document = {}
    if not same or named & _ENCODING:
        tried = encode_v2(array, chain_v2_of(source, options.named), options)
    document = dict(source) if same else {**tried, "shape": source["shape"]}
    document |= {key: tried[key] for key in _changed_keys(named, "dimension_separator")}
    if named & _CODECS:
        document |= {key: tried[key] for key in ("filters", "compressor", "order")}
    return with_chunk_shape(document, grid.chunks)


def _changed_keys(named: set[str], encoding: str) -> list[str]:
    """Return the metadata keys besides codecs that options change; `encoding` names chunk keys."""
    changed = ["fill_value"] if "fill_value" in named else []
    return [*changed, encoding] if named & _CHUNK_KEYS else changed
