"""Encodings of variables in the target: their present encodings, updated with the options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numcodecs

from rechunker.metadata import (
    Chain,
    ChainV2,
    chain_in_v2,
    chain_in_v3,
    check_codecs,
    check_serializer,
    codec_name,
    is_v2,
    normalize_shards,
    scaled_shards,
    to_v2,
    to_v3,
)
from rechunker.sources.options_by_array import Given
from rechunker.sources.xarray.target_chunks import stored_itemsize

if TYPE_CHECKING:
    import xarray

__all__ = ["target_encoding"]

_CODEC_KEYS = ("filters", "serializer", "compressors")
_STRING_CODECS = ("vlen-utf8", "vlen-bytes")


def target_encoding(
    variable: xarray.Variable,
    chunks: tuple[int, ...],
    given: Given,
    zarr_format: int,
    limit: int,
) -> dict[str, Any]:
    """Return the encoding of a variable in the target.

    Parameters
    ----------
    variable
        Variable with its present encoding.
    chunks
        Chunks in the target.
    given
        Encoding keys that differ.
    zarr_format
        Zarr format of the target.
    limit
        Bytes of a stored object that fit in memory.

    Raises
    ------
    TypeError
        If an entry in the options is not a codec, or the shards have the wrong type.
    ValueError
        If a codec has no counterpart in the Zarr format, or the shards do not fit the chunks.
    """
    encoding, (options, where) = dict(variable.encoding), given
    from_file = "chunks" in encoding or "original_shape" in encoding or "source" in encoding
    if from_file and "_FillValue" not in variable.attrs and _is_inexact(variable, encoding):
        # Xarray gives new variables of floats a fill value; those from a file stay without.
        encoding.setdefault("_FillValue", None)
    shards, itemsize = encoding.get("shards"), stored_itemsize(variable)
    if shards is not None and tuple(encoding.get("chunks") or ()) != chunks:
        fit = len(shards) == variable.ndim  # otherwise they are those of another array
        sizes = (chunks, variable.shape, itemsize, limit)
        shards = scaled_shards(shards, *sizes) if fit else None
    for key in ("chunks", "shards", "preferred_chunks", "chunksizes"):
        encoding.pop(key, None)
    if shards is not None and zarr_format == 3:
        encoding["shards"] = shards
    encoding = _in_format(encoding, variable.ndim, zarr_format, options, where)
    encoding.update(_with_translated_codecs(options, zarr_format, where))
    shards = options.get("shards")
    if shards is not None:
        dims = tuple(map(str, variable.dims))
        encoding["shards"] = normalize_shards(
            shards,
            chunks,
            variable.shape,
            dims,
            what=f"{where}['shards']",
            itemsize=itemsize,
            limit=limit,
        )
    return {**encoding, "chunks": chunks}


def _is_inexact(variable: xarray.Variable, encoding: Mapping[str, Any]) -> bool:
    return getattr(encoding.get("dtype", variable.dtype), "kind", "O") in ("f", "c")


def _in_format(
    encoding: dict[str, Any], ndim: int, zarr_format: int, options: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """Translate the codecs of a variable from the other format, if no options replace them."""
    if "compressors" not in encoding or zarr_format == (3 if "serializer" in encoding else 2):
        return encoding
    others = {key: value for key, value in encoding.items() if key not in _CODEC_KEYS}
    others.pop("chunk_key_encoding", None)
    others.pop("fill_value", None)
    # Xarray chooses how to store strings, and may choose another way in the other format.
    filters, serializers, compressors = (
        tuple(c for c in _as_list(encoding.get(key)) if codec_name(c) not in _STRING_CODECS)
        for key in _CODEC_KEYS
    )
    if zarr_format == 3:
        last = compressors[-1] if compressors else None
        chain = chain_in_v3(ChainV2((*filters, *compressors[:-1]), last), ndim, options)
        serializer = {} if chain.serializer is None else {"serializer": chain.serializer}
        return {**others, "filters": chain.filters, "compressors": chain.compressors, **serializer}
    own = Chain(filters, serializers[0] if serializers else None, compressors)
    chain_v2 = chain_in_v2(own, ndim, options)
    if chain_v2.order == "F" and "filters" not in options:
        raise ValueError(
            f"{where}: the source stores the axes in reverse order, and Xarray encodings have no "
            "'order' in Zarr format 2; give filters=[] to store them in order, or zarr_format=3"
        )
    compressor = [] if chain_v2.compressor is None else [chain_v2.compressor]
    return {
        **others,
        "filters": tuple(map(numcodecs.get_codec, chain_v2.filters)),
        "compressors": tuple(map(numcodecs.get_codec, compressor)),
    }


def _with_translated_codecs(
    options: Mapping[str, Any], zarr_format: int, where: str
) -> dict[str, Any]:
    """Return options whose codecs are those of this Zarr format; users may give either kind."""
    translated = dict(options)
    for key in _CODEC_KEYS:
        value = options.get(key)
        if key == "serializer" and key in options and value != "auto":
            check_serializer(value, f"{where}[{key!r}]")
        if value is None or isinstance(value, str):
            continue
        check_codecs(_as_list(value), f"{where}[{key!r}]")
        codecs = [_translated(codec, zarr_format) for codec in _as_list(value)]
        translated[key] = codecs[0] if key == "serializer" else tuple(codecs)
    return translated


def _translated(codec: Any, zarr_format: int) -> Any:
    if zarr_format == 2:
        config = codec if is_v2(codec) else to_v2(codec)
        return config if hasattr(config, "codec_id") else numcodecs.get_codec(dict(config))
    if not is_v2(codec):
        return codec
    chain = to_v3([codec])
    (translated,) = [*chain.filters, *chain.compressors, *filter(None, [chain.serializer])]
    return translated


def _as_list(codecs: Any) -> list[Any]:
    if codecs is None:
        return []
    return list(codecs) if isinstance(codecs, list | tuple) else [codecs]
