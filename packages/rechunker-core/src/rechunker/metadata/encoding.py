"""Encoding of a target: the codecs of the source, unless options replace them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numcodecs
import zarr

from rechunker.metadata.codec_chain import Chain, ChainV2, chain_of
from rechunker.metadata.codec_formats import (
    check_codecs,
    check_serializer,
    codec_name,
    is_v2,
    to_v2,
    to_v3,
)
from rechunker.metadata.document import Document
from rechunker.metadata.options import ArrayOptions
from rechunker.metadata.trial_array import try_encoding

__all__ = ["encode_v2", "encode_v3"]


def encode_v3(array: zarr.Array[Any], chain: Chain, options: ArrayOptions) -> Document:
    """Return Zarr format 3 metadata with the codecs, fill value and chunk keys of a target.

    Parameters
    ----------
    array
        Source array.
    chain
        Codecs of the source in Zarr format 3, at least those that the options do not replace.
    options
        Options of the target, which take precedence over the source.

    Returns
    -------
    dict
        Metadata of an array of one element with the dtype of the source, as Zarr writes it.

    Raises
    ------
    ValueError, TypeError
        If Zarr or a codec rejects the options, or the format cannot store them.
    """
    named = options.named
    chain = _replace_codecs(array, chain, named)
    if named.get("order") is not None:
        chain = chain._replace(filters=_with_order(chain.filters, named, array.ndim))
    codecs = {
        "filters": chain.filters,
        "serializer": "auto" if chain.serializer is None else chain.serializer,
        "compressors": chain.compressors,
    }
    return try_encoding(array, 3, options, codecs)


def _replace_codecs(array: zarr.Array[Any], chain: Chain, named: Mapping[str, Any]) -> Chain:
    """Replace codecs of the source by those in the options."""
    compressors, serializer = chain.compressors, chain.serializer
    filters, translated = chain.filters, Chain()
    if "compressors" in named:
        compressors = _compressors_v3(array, named["compressors"])
    if "serializer" in named:
        serializer = _serializer_v3(named["serializer"])
    if "filters" in named:
        translated = _filters_v3(named["filters"])
        filters, serializer = translated.filters, translated.serializer or serializer
    # Zarr format 2 filters that work on bytes become the first compressors in Zarr format 3.
    return Chain(filters, serializer, (*translated.compressors, *compressors))


def _as_tuple(codecs: Any, option: str) -> tuple[Any, ...]:
    """Return the codecs of an option, which may be one, several or None, as a tuple."""
    if codecs is None:
        return ()
    several = tuple(codecs) if isinstance(codecs, list | tuple) else (codecs,)
    check_codecs(several, option)
    return several


def _filters_v3(codecs: Any) -> Chain:
    """Translate filters to Zarr format 3, where some are serializers or compressors."""
    chain = Chain()
    for codec in () if _is_auto(codecs) else _as_tuple(codecs, "filters"):
        part = to_v3([codec]) if is_v2(codec) else Chain(filters=(codec,))
        chain = Chain(
            (*chain.filters, *part.filters),
            part.serializer or chain.serializer,
            (*chain.compressors, *part.compressors),
        )
    return chain


def _serializer_v3(codec: Any) -> Any:
    if _is_auto(codec):
        return None
    check_serializer(codec, "serializer")
    return (to_v3([codec]).serializer or codec) if is_v2(codec) else codec


def _compressors_v3(array: zarr.Array[Any], codecs: Any) -> tuple[Any, ...]:
    if _is_auto(codecs):
        document = try_encoding(array, 3, ArrayOptions(), {})
        return chain_of(document["codecs"]).compressors
    translated: list[Any] = []
    for codec in _as_tuple(codecs, "compressors"):
        part = to_v3([codec]) if is_v2(codec) else Chain(compressors=(codec,))
        if part.filters or part.serializer:
            raise ValueError(f"compressors: {codec!r} works on arrays; give it in filters")
        translated += part.compressors
    return tuple(translated)


def _with_order(filters: tuple[Any, ...], named: Mapping[str, Any], ndim: int) -> tuple[Any, ...]:
    """Return filters that store chunks in C or F order: F is a transpose codec in Zarr format 3."""
    remaining = tuple(codec for codec in filters if codec_name(codec) != "transpose")
    if "filters" in named and len(remaining) < len(filters):
        raise ValueError(
            f"order={named['order']!r} conflicts with the transpose codec in filters; "
            "give only one of them"
        )
    if named["order"] == "C" or ndim < 2:
        return remaining
    reverse = list(range(ndim))[::-1]
    return ({"name": "transpose", "configuration": {"order": reverse}}, *remaining)


def encode_v2(array: zarr.Array[Any], chain: ChainV2, options: ArrayOptions) -> Document:
    """Return Zarr format 2 metadata with the codecs, fill value and chunk keys of a target.

    Parameters
    ----------
    array
        Source array.
    chain
        Codecs of the source in Zarr format 2, at least those that the options do not replace.
    options
        Options of the target, which take precedence over the source.

    Returns
    -------
    dict
        Metadata of an array of one element with the dtype of the source, as Zarr writes it.

    Raises
    ------
    ValueError, TypeError
        If Zarr or a codec rejects the options, or the format cannot store them.
    """
    named = options.named
    serializer = named.get("serializer", "auto")
    if not _is_auto(serializer):
        raise ValueError(
            f"serializer: Zarr format 2 has no serializers, got {serializer!r}; use filters and "
            "a compressor"
        )
    filters: Any = named.get("filters", chain.filters)
    compressor: Any = named.get("compressors", chain.compressor)
    if not _is_auto(compressor):
        # Zarr format 2 has a single compressor: the last one. The others become filters.
        *others, compressor = _numcodecs(compressor, "compressors") or [None]
        filters = filters if not others else [*_numcodecs(filters, "filters"), *others]
    codecs = {
        "filters": filters if _is_auto(filters) else _numcodecs(filters, "filters") or None,
        "compressors": compressor,
        "order": named.get("order") or chain.order,
    }
    return try_encoding(array, 2, options, codecs, big_endian=chain.big_endian)


def _numcodecs(codecs: Any, option: str) -> list[Any]:
    """Return the codecs of an option, of either format, as objects of numcodecs."""
    configs = [codec if is_v2(codec) else to_v2(codec) for codec in _as_tuple(codecs, option)]
    return [c if hasattr(c, "codec_id") else numcodecs.get_codec(dict(c)) for c in configs]


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"
