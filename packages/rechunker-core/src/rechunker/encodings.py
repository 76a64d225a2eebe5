"""How the elements of a target are encoded: as in the source, but for what options name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numcodecs
import numpy as np
import zarr
from zarr.dtype import parse_dtype
from zarr.storage import MemoryStore

from rechunker.codec_chains import chain_of
from rechunker.codec_translation import Chain, check_codecs, is_v2, to_v2, to_v3
from rechunker.formats import ChainV2
from rechunker.metadata import Document, document_of, quiet
from rechunker.options import ArrayOptions, ZarrFormat

__all__ = ["REFUSALS", "encode_v2", "encode_v3"]

# What an array may be refused with: Zarr and the codecs raise these and no class in common.
REFUSALS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RuntimeError)


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
    return _try(array, 3, options, given)


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
    for codec in () if _is_auto(codecs) else _listed(codecs):
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
    return to_v3([codec]).serializer or codec if is_v2(codec) else codec


def _compressors_v3(array: zarr.Array[Any], codecs: Any) -> tuple[Any, ...]:
    if _is_auto(codecs):
        usual = _try(array, 3, ArrayOptions(), {})
        return chain_of(usual["codecs"]).compressors
    translated = []
    for codec in _listed(codecs):
        part = to_v3([codec]) if is_v2(codec) else Chain(compressors=(codec,))
        if part.filters or part.serializer:
            raise ValueError(f"compressors: {codec!r} works on arrays; give it as a filter")
        translated += part.compressors
    return tuple(translated)


def _in_order(filters: tuple[Any, ...], words: Mapping[str, Any], ndim: int) -> tuple[Any, ...]:
    """Store chunks in C or F order: in v3 that is a codec which transposes them."""
    others = tuple(codec for codec in filters if _name(codec) != "transpose")
    if "filters" in words and len(others) < len(filters):
        raise ValueError("order: filters already hold a transpose codec; give one of them")
    if words["order"] == "C" or ndim < 2:
        return others
    reverse = list(range(ndim))[::-1]
    return ({"name": "transpose", "configuration": {"order": reverse}}, *others)


def _name(codec: Any) -> str | None:
    if isinstance(codec, Mapping):
        return codec.get("name")
    return codec.to_dict()["name"] if hasattr(codec, "to_dict") else None


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
    filters = words.get("filters", chain.filters)
    *first, last = _listed(words.get("compressors", chain.compressor)) or (None,)
    given: Any = {
        "filters": filters if _is_auto(filters) else _objects((*_listed(filters), *first)) or None,
        "compressors": last if _is_auto(last) or last is None else _objects([last])[0],
        "order": words.get("order") or chain.order,
    }
    return _try(array, 2, options, given, big_endian=chain.big_endian)


def _objects(codecs: Any) -> list[Any]:
    """Return codecs of either format as codecs of numcodecs."""
    configs = [codec if is_v2(codec) else to_v2(codec) for codec in codecs]
    return [c if hasattr(c, "codec_id") else numcodecs.get_codec(dict(c)) for c in configs]


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _try(
    array: zarr.Array[Any],
    zarr_format: ZarrFormat,
    options: ArrayOptions,
    given: Mapping[str, Any],
    *,
    big_endian: bool = False,
) -> Document:
    """Create an array of one element in memory, store and read it, and return its metadata.

    Zarr checks and completes what is given; codecs check some of their arguments and the dtype
    only when they are used.
    """
    words, dtype = options.named, array.metadata.dtype
    if big_endian:
        dtype = parse_dtype(array.dtype.newbyteorder(">"), zarr_format=zarr_format)
    shape = (1,) * max(1, array.ndim)  # zarr 3.4 does not read 0-d arrays of bytes
    with quiet():
        trial = zarr.create_array(
            MemoryStore(),
            shape=shape,
            chunks=shape,
            dtype=dtype,
            zarr_format=zarr_format,
            fill_value=words.get("fill_value", array.metadata.fill_value),
            chunk_key_encoding=_key_encoding(array, zarr_format, words),
            config={"write_empty_chunks": True},
            **given,
        )
        trial[...] = np.full(shape, dtype.default_scalar(), dtype=trial.dtype)
        trial[...]
    return document_of(trial)


def _key_encoding(array: zarr.Array[Any], zarr_format: int, words: Mapping[str, Any]) -> Any:
    """Return what names chunks in the store; None: as is usual in the format."""
    separator = words.get("dimension_separator")
    if separator is None:
        return words.get("chunk_key_encoding")
    source = getattr(array.metadata, "chunk_key_encoding", None)
    name = "v2" if zarr_format == 2 else getattr(source, "name", "default")
    return {"name": name, "configuration": {"separator": separator}}
