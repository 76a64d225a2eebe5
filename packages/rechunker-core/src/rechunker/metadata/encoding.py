"""How the elements of a target are encoded: as in the source, but for what options name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numcodecs
import zarr

from rechunker.metadata.codec_chain import Chain, ChainV2, chain_of
from rechunker.metadata.codec_translation import check_codecs, codec_name, is_v2, to_v2, to_v3
from rechunker.metadata.document import Document
from rechunker.metadata.options import ArrayOptions
from rechunker.metadata.trial import try_encoding

__all__ = ["encode_v2", "encode_v3"]


def encode_v3(array: zarr.Array[Any], chain: Chain, options: ArrayOptions) -> Document:
    """Return v3 metadata with the codecs of a target, its fill value and its chunk keys.

    Parameters
    ----------
    array
        The source.
    chain
        Its codecs, in v3.
    options
        What takes their place.

    Returns
    -------
    dict
        Metadata of a small array of the source's dtype, as Zarr writes it.

    Raises
    ------
    ValueError, TypeError
        If Zarr refuses the options.
    """
    words = options.named
    chain = _name_codecs(array, chain, words)
    if words.get("order") is not None:
        chain = chain._replace(filters=_in_order(chain.filters, words, array.ndim))
    given = {
        "filters": chain.filters,
        "serializer": "auto" if chain.serializer is None else chain.serializer,
        "compressors": chain.compressors,
    }
    return try_encoding(array, 3, options, given)


def _name_codecs(array: zarr.Array[Any], chain: Chain, words: Mapping[str, Any]) -> Chain:
    """Put the codecs that options name in the place of those of the source."""
    compressors, serializer = chain.compressors, chain.serializer
    filters, first = chain.filters, Chain()
    if "compressors" in words:
        compressors = _compressors_v3(array, words["compressors"])
    if "serializer" in words:
        serializer = _serializer_v3(words["serializer"])
    if "filters" in words:
        first = _mixed_v3(words["filters"])
        filters, serializer = first.filters, first.serializer or serializer
    # A filter of v2 that works on bytes is a compressor before the others in v3.
    return Chain(filters, serializer, (*first.compressors, *compressors))


def _listed(codecs: Any, word: str) -> tuple[Any, ...]:
    """Return one codec, several, or none (None) as a tuple."""
    if codecs is None:
        return ()
    listed = tuple(codecs) if isinstance(codecs, list | tuple) else (codecs,)
    check_codecs(listed, word)
    return listed


def _mixed_v3(codecs: Any) -> Chain:
    """Return filters given as codecs of either format."""
    chain = Chain()
    for codec in () if _is_auto(codecs) else _listed(codecs, "filters"):
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
    if codec is None:
        raise TypeError("serializer: a v3 array always has one; leave the word out to keep it")
    check_codecs((codec,), "serializer")
    return (to_v3([codec]).serializer or codec) if is_v2(codec) else codec


def _compressors_v3(array: zarr.Array[Any], codecs: Any) -> tuple[Any, ...]:
    if _is_auto(codecs):
        usual = try_encoding(array, 3, ArrayOptions(), {})
        return chain_of(usual["codecs"]).compressors
    translated: list[Any] = []
    for codec in _listed(codecs, "compressors"):
        part = to_v3([codec]) if is_v2(codec) else Chain(compressors=(codec,))
        if part.filters or part.serializer:
            raise ValueError(f"compressors: {codec!r} works on arrays; give it as a filter")
        translated += part.compressors
    return tuple(translated)


def _in_order(filters: tuple[Any, ...], words: Mapping[str, Any], ndim: int) -> tuple[Any, ...]:
    """Store chunks in C or F order: in v3 that is a codec which transposes them."""
    others = tuple(codec for codec in filters if codec_name(codec) != "transpose")
    if "filters" in words and len(others) < len(filters):
        raise ValueError("order: filters already hold a transpose codec; give one of them")
    if words["order"] == "C" or ndim < 2:
        return others
    reverse = list(range(ndim))[::-1]
    return ({"name": "transpose", "configuration": {"order": reverse}}, *others)


def encode_v2(array: zarr.Array[Any], chain: ChainV2, options: ArrayOptions) -> Document:
    """Return v2 metadata with the codecs of a target, its fill value and its chunk keys.

    Parameters
    ----------
    array
        The source.
    chain
        Its codecs, in v2.
    options
        What takes their place.

    Returns
    -------
    dict
        Metadata of a small array of the source's dtype, as Zarr writes it.

    Raises
    ------
    ValueError, TypeError
        If Zarr refuses the options.
    """
    words = options.named
    if not _is_auto(words.get("serializer", "auto")):
        raise ValueError("serializer: Zarr format 2 has none; give filters and a compressor")
    filters: Any = words.get("filters", chain.filters)
    last: Any = words.get("compressors", chain.compressor)
    if not _is_auto(last):
        *first, last = _objects(last, "compressors") or [None]
        # Several compressors, as v3 has them: in v2 all but the last are filters.
        filters = filters if not first else [*_objects(filters, "filters"), *first]
    given = {
        "filters": filters if _is_auto(filters) else _objects(filters, "filters") or None,
        "compressors": last,
        "order": words.get("order") or chain.order,
    }
    return try_encoding(array, 2, options, given, big_endian=chain.big_endian)


def _objects(codecs: Any, word: str) -> list[Any]:
    """Return codecs of either format as codecs of numcodecs."""
    configs = [codec if is_v2(codec) else to_v2(codec) for codec in _listed(codecs, word)]
    return [c if hasattr(c, "codec_id") else numcodecs.get_codec(dict(c)) for c in configs]


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"
