"""Codecs of a metadata document, translated into either Zarr format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rechunker.metadata.codec_chain import Chain, ChainV2, chain_of
from rechunker.metadata.codec_formats import metadata_v3, to_v2, to_v3

__all__ = ["chain_in_v2", "chain_in_v3", "chain_v2_of", "chain_v3_of"]

Options = Mapping[str, Any]


def chain_v3_of(document: Mapping[str, Any], named: Options) -> Chain:
    """Return the codecs of a chunk, or of an inner chunk of a shard, in Zarr format 3.

    Parameters
    ----------
    document
        Metadata of an array of either format.
    named
        Options by name, as for `chain_in_v3`.

    Raises
    ------
    ValueError
        If Zarr format 3 has no counterpart of a codec.
    """
    if document["zarr_format"] == 3:
        return chain_of(document["codecs"])
    big_endian = str(document["dtype"]).startswith(">")
    filters, compressor = document["filters"] or (), document["compressor"]
    chain = ChainV2(filters, compressor, document["order"], big_endian)
    return chain_in_v3(chain, len(document["shape"]), named)


def chain_in_v3(chain: ChainV2, ndim: int, named: Options) -> Chain:
    """Translate the codecs of a chunk from Zarr format 2 to Zarr format 3.

    Parameters
    ----------
    chain
        Codecs of Zarr format 2.
    ndim
        Number of axes of the array.
    named
        Options by name. The codecs that "filters" and "compressors" replace are left out: they
        need no counterpart.

    Raises
    ------
    ValueError
        If Zarr format 3 has no counterpart of a codec.
    """
    replaced = "filters" in named
    compressors = () if "compressors" in named or chain.compressor is None else (chain.compressor,)
    translated = to_v3([*(() if replaced else chain.filters), *compressors])
    # All filters on elements work in native byte order, and their arguments say so.
    native = bool(chain.filters) if replaced else bool(translated.filters)
    if chain.order == "F" and ndim > 1:
        transpose = {"name": "transpose", "configuration": {"order": list(range(ndim))[::-1]}}
        translated = translated._replace(filters=(transpose, *translated.filters))
    if chain.big_endian and translated.serializer is None and not native:
        big_endian = {"name": "bytes", "configuration": {"endian": "big"}}
        translated = translated._replace(serializer=big_endian)
    return translated


def chain_v2_of(document: Mapping[str, Any], named: Options) -> ChainV2:
    """Return the codecs of a chunk, or of an inner chunk of a shard, in Zarr format 2.

    Parameters
    ----------
    document
        Metadata of an array of either format.
    named
        Options by name, as for `chain_in_v2`.

    Raises
    ------
    ValueError
        If Zarr format 2 has no counterpart of a codec.
    """
    if document["zarr_format"] == 2:
        return ChainV2(document["filters"] or (), document["compressor"], document["order"])
    return chain_in_v2(chain_of(document["codecs"]), len(document["shape"]), named)


def chain_in_v2(chain: Chain, ndim: int, named: Options) -> ChainV2:
    """Translate the codecs of a chunk from Zarr format 3 to Zarr format 2.

    Parameters
    ----------
    chain
        Codecs of Zarr format 3: objects, or their metadata.
    ndim
        Number of axes of the array.
    named
        Options by name. The codecs that "filters", "compressors" and "order" replace are left
        out: they need no counterpart.

    Raises
    ------
    ValueError
        If Zarr format 2 has no counterpart of a codec.
    """
    replaced = "filters" in named
    is_free = replaced or named.get("order") is not None
    order, remaining = _order_of([*map(metadata_v3, chain.filters)], ndim, is_free)
    serializer = metadata_v3(chain.serializer or {"name": "bytes"})
    endian = (serializer.get("configuration") or {}).get("endian")
    # Filters work on elements in native byte order, and their arguments say so.
    big_endian = serializer["name"] == "bytes" and endian == "big" and not remaining
    filters = remaining if serializer["name"] == "bytes" else [*remaining, serializer]
    compressors = () if "compressors" in named else chain.compressors
    # Zarr format 2 has a single compressor: the last one. The others become filters.
    filters = [] if replaced else [*filters, *compressors[:-1]]
    compressor = to_v2(compressors[-1]) if compressors else None
    return ChainV2(tuple(map(to_v2, filters)), compressor, order, big_endian)


def _order_of(filters: list[Any], ndim: int, is_free: bool) -> tuple[str, list[Any]]:
    """Return the memory order that leading transpose codecs amount to, and the other filters."""
    axes = list(range(ndim))
    remaining: list[Any] = []
    for codec in filters:
        if codec["name"] == "transpose" and not remaining:
            axes = [axes[i] for i in codec["configuration"]["order"]]
        else:
            remaining.append(codec)
    if axes == sorted(axes)[::-1] and ndim > 1:
        return "F", remaining
    if axes == sorted(axes) or is_free:
        return "C", remaining
    raise ValueError(
        "Zarr format 2 stores the axes of a chunk in order 'C' or 'F', got a source with "
        f"transposed axes {axes}; give zarr_format=3, or filters=[] to store them in order 'C'"
    )
