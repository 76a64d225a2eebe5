"""Codec chains: the codecs in metadata by their kind, and sharding codecs around them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from zarr.abc.codec import ArrayArrayCodec, ArrayBytesCodec
from zarr.codecs import ShardingCodec
from zarr.registry import get_codec_class

__all__ = [
    "SHARDING",
    "Chain",
    "ChainV2",
    "chain_of",
    "codecs_of",
    "index_of",
    "shard",
    "sharding_of",
]

SHARDING = "sharding_indexed"
Codec = dict[str, Any]


class Chain(NamedTuple):
    """Codecs of an inner chunk in Zarr format 3: objects of `zarr.codecs`, or their metadata.

    `serializer` is None where it follows from the dtype.
    """

    filters: tuple[Any, ...] = ()
    serializer: Any = None
    compressors: tuple[Any, ...] = ()


class ChainV2(NamedTuple):
    """Codecs of a chunk in Zarr format 2: objects of numcodecs, or their configurations.

    `filters` may be "auto". `big_endian` is true if the dtype must have big-endian elements; in
    format 3 the byte order belongs to the serializer, not to the dtype.
    """

    filters: Any = ()
    compressor: Any = None
    order: str = "C"
    big_endian: bool = False


def sharding_of(codecs: Iterable[Codec]) -> Codec | None:
    """Return the outermost sharding codec of an array, or None.

    Parameters
    ----------
    codecs
        As in v3 metadata.
    """
    return next((codec for codec in codecs if codec["name"] == SHARDING), None)


def chain_of(codecs: Iterable[Codec]) -> Chain:
    """Return what is done to one inner chunk, whatever the shards around it.

    Parameters
    ----------
    codecs
        As in v3 metadata.
    """
    filters, compressors = [], []
    serializer = None
    for codec in _flat(codecs):
        kind = get_codec_class(codec["name"])
        if issubclass(kind, ArrayArrayCodec):
            filters.append(codec)
        elif issubclass(kind, ArrayBytesCodec):
            serializer = codec
        else:
            compressors.append(codec)
    return Chain(tuple(filters), serializer, tuple(compressors))


def _flat(codecs: Iterable[Codec]) -> list[Codec]:
    """Put the codecs inside sharding codecs, which may be nested, in their place."""
    flat: list[Codec] = []
    for codec in codecs:
        inside = codec["name"] == SHARDING
        flat += _flat(codec["configuration"]["codecs"]) if inside else [codec]
    return flat


def codecs_of(chain: Chain) -> list[Codec]:
    """Return the codecs of a chain in a row.

    Parameters
    ----------
    chain
        With its serializer.
    """
    return [*chain.filters, chain.serializer, *chain.compressors]


def shard(codecs: Sequence[Codec], chunks: Sequence[int], index: Codec) -> list[Codec]:
    """Put codecs inside a sharding codec.

    Parameters
    ----------
    codecs
        What is done to one inner chunk.
    chunks
        Shape of the inner chunks.
    index
        How the index of a shard is stored: "index_codecs" and "index_location".
    """
    configuration = {"chunk_shape": list(chunks), "codecs": list(codecs), **index}
    return [{"name": SHARDING, "configuration": configuration}]


def index_of(sharding: Codec | None) -> Codec:
    """Return how the index of a shard is stored.

    Parameters
    ----------
    sharding
        A sharding codec, as in v3 metadata; None: as zarr does it.
    """
    usual = sharding or json.loads(json.dumps(ShardingCodec(chunk_shape=(1,)).to_dict()))
    configuration = usual["configuration"]
    return {key: configuration[key] for key in ("index_codecs", "index_location")}
