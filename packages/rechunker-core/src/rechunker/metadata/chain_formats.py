"""Codecs of a metadata document, translated into either Zarr format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rechunker.metadata.codec_chain import Chain, ChainV2, chain_of
from rechunker.metadata.codec_formats import to_v2, to_v3

__all__ = ["chain_v2_of", "chain_v3_of"]


def chain_v3_of(document: Mapping[str, Any]) -> Chain:
    """Return the codecs of a chunk, or of an inner chunk of a shard, in Zarr format 3.

    Parameters
    ----------
    document
        Metadata of an array of either format.

    Raises
    ------
    ValueError
        If Zarr format 3 has no counterpart of a codec.
    """
    if document["zarr_format"] == 3:
        return chain_of(document["codecs"])
    compressor = document["compressor"]
    chain = to_v3([*(document["filters"] or ()), *([] if compressor is None else [compressor])])
    if document["order"] == "F" and len(document["shape"]) > 1:
        reverse = list(range(len(document["shape"])))[::-1]
        transpose = {"name": "transpose", "configuration": {"order": reverse}}
        chain = chain._replace(filters=(transpose, *chain.filters))
    only_transposes = all(codec["name"] == "transpose" for codec in chain.filters)
    # All other filters work on elements in native byte order, and their arguments say so.
    if chain.serializer is None and only_transposes and str(document["dtype"]).startswith(">"):
        big_endian = {"name": "bytes", "configuration": {"endian": "big"}}
        chain = chain._replace(serializer=big_endian)
    return chain


def chain_v2_of(document: Mapping[str, Any]) -> ChainV2:
    """Return the codecs of a chunk, or of an inner chunk of a shard, in Zarr format 2.

    Parameters
    ----------
    document
        Metadata of an array of either format.

    Raises
    ------
    ValueError
        If Zarr format 2 has no counterpart of a codec.
    """
    if document["zarr_format"] == 2:
        return ChainV2(document["filters"] or (), document["compressor"], document["order"])
    chain = chain_of(document["codecs"])
    order, remaining = _order_of(chain.filters, len(document["shape"]))
    filters = [to_v2(codec) for codec in remaining]
    big_endian = False
    if chain.serializer["name"] != "bytes":
        filters.append(to_v2(chain.serializer))
    else:
        endian = (chain.serializer.get("configuration") or {}).get("endian")
        # Filters work on elements in native byte order, and their arguments say so.
        big_endian = endian == "big" and not filters
    compressors = [to_v2(codec) for codec in chain.compressors]
    # Zarr format 2 has a single compressor: the last one. The others become filters.
    compressor = compressors.pop() if compressors else None
    return ChainV2((*filters, *compressors), compressor, order, big_endian)


def _order_of(filters: tuple[Any, ...], ndim: int) -> tuple[str, list[Any]]:
    """Return the memory order that leading transpose codecs amount to, and the other filters."""
    axes = list(range(ndim))
    remaining: list[Any] = []
    for codec in filters:
        if codec["name"] == "transpose" and not remaining:
            axes = [axes[i] for i in codec["configuration"]["order"]]
        else:
            remaining.append(codec)
    if axes == sorted(axes):
        return "C", remaining
    if axes == sorted(axes)[::-1]:
        return "F", remaining
    raise ValueError(
        "Zarr format 2 stores the axes of a chunk in order 'C' or 'F', got a source with "
        f"transposed axes {axes}; give zarr_format=3"
    )
