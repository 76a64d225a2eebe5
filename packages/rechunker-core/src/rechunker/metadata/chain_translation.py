"""Reading the codecs of a metadata document in the words of either Zarr format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rechunker.metadata.codec_chain import Chain, ChainV2, chain_of
from rechunker.metadata.codec_translation import to_v2, to_v3

__all__ = ["chain_v2_of", "chain_v3_of"]


def chain_v3_of(document: Mapping[str, Any]) -> Chain:
    """Return the codecs of an inner chunk in v3.

    Parameters
    ----------
    document
        Metadata of either format.

    Raises
    ------
    ValueError
        If v3 has no counterpart of a v2 codec.
    """
    if document["zarr_format"] == 3:
        return chain_of(document["codecs"])
    compressor = document["compressor"]
    chain = to_v3([*(document["filters"] or ()), *([] if compressor is None else [compressor])])
    if document["order"] == "F" and len(document["shape"]) > 1:
        reverse = list(range(len(document["shape"])))[::-1]
        transpose = {"name": "transpose", "configuration": {"order": reverse}}
        chain = chain._replace(filters=(transpose, *chain.filters))
    native = all(codec["name"] == "transpose" for codec in chain.filters)
    # Other filters, and their arguments, are for elements in native order.
    if chain.serializer is None and native and str(document["dtype"]).startswith(">"):
        big = {"name": "bytes", "configuration": {"endian": "big"}}
        chain = chain._replace(serializer=big)
    return chain


def chain_v2_of(document: Mapping[str, Any]) -> ChainV2:
    """Return the codecs of an inner chunk in v2.

    Parameters
    ----------
    document
        Metadata of either format.

    Raises
    ------
    ValueError
        If v2 has no counterpart of a v3 codec.
    """
    if document["zarr_format"] == 2:
        return ChainV2(document["filters"] or (), document["compressor"], document["order"])
    chain = chain_of(document["codecs"])
    order, others = _order_of(chain.filters, len(document["shape"]))
    filters = [to_v2(codec) for codec in others]
    big_endian = False
    if chain.serializer["name"] != "bytes":
        filters.append(to_v2(chain.serializer))
    else:
        endian = (chain.serializer.get("configuration") or {}).get("endian")
        # Filters work on elements in native order, and their arguments say so.
        big_endian = endian == "big" and not filters
    compressors = [to_v2(codec) for codec in chain.compressors]
    last = compressors.pop() if compressors else None  # v2 has one; those before it are filters
    return ChainV2((*filters, *compressors), last, order, big_endian)


def _order_of(filters: tuple[Any, ...], ndim: int) -> tuple[str, list[Any]]:
    """Return the order of elements that transpose codecs lead to, and the other filters."""
    axes = list(range(ndim))
    others: list[Any] = []
    for codec in filters:
        if codec["name"] == "transpose" and not others:
            axes = [axes[i] for i in codec["configuration"]["order"]]
        else:
            others.append(codec)
    if axes == sorted(axes):
        return "C", others
    if axes == sorted(axes)[::-1]:
        return "F", others
    raise ValueError(
        f"Zarr format 2 has no counterpart of chunks with axes in the order {axes}; "
        "name the order of elements, 'C' or 'F'"
    )
