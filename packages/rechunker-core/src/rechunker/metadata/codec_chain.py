"""Codec chains: the codecs of a chunk sorted by kind, and the sharding codecs around them."""

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
    "shard",
    "shard_index",
    "sharding_of",
]

SHARDING = "sharding_indexed"
Codec = dict[str, Any]


class Chain(NamedTuple):
    """Codecs of a chunk in Zarr format 3: objects of `zarr.codecs`, or their metadata.

    `serializer` is None if Zarr should choose it by the dtype.
    """

    filters: tuple[Any, ...] = ()
    serializer: Any = None
    compressors: tuple[Any, ...] = ()


class ChainV2(NamedTuple):
    """Codecs of a chunk in Zarr format 2: objects of numcodecs, or their configurations.

    `filters` may be "auto". `big_endian` tells whether the dtype must be big-endian; in Zarr
    format 3 the serializer holds the byte order, not the dtype.
    """

    filters: Any = ()
    compressor: Any = None
    order: str = "C"
    big_endian: bool = False


def sharding_of(codecs: Iterable[Codec]) -> Codec | None:
    """Return the outermost sharding codec of an array; None without shards.

    Parameters
    ----------
    codecs
        Codecs from the metadata of a Zarr format 3 array.
    """
    return next((codec for codec in codecs if codec["name"] == SHARDING), None)


def chain_of(codecs: Iterable[Codec]) -> Chain:
    """Return the codecs of one chunk; in shards, those of an inner chunk.

    Parameters
    ----------
    codecs
        Codecs from the metadata of a Zarr format 3 array.
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
    """Replace sharding codecs, which may be nested, by the codecs inside them."""
    flat: list[Codec] = []
    for codec in codecs:
        is_sharding = codec["name"] == SHARDING
        flat += _flat(codec["configuration"]["codecs"]) if is_sharding else [codec]
    return flat


def codecs_of(chain: Chain) -> list[Codec]:
    """Return the codecs of a chain as one list, in the order in which they encode.

    Parameters
    ----------
    chain
        Chain with a serializer.
    """
    return [*chain.filters, chain.serializer, *chain.compressors]


def shard(codecs: Sequence[Codec], chunks: Sequence[int], index: Codec) -> list[Codec]:
    """Put codecs inside a sharding codec.

    Parameters
    ----------
    codecs
        Codecs of one inner chunk.
    chunks
        Shape of the inner chunks.
    index
        Settings of the shard index: "index_codecs" and "index_location".
    """
    configuration = {"chunk_shape": list(chunks), "codecs": list(codecs), **index}
    return [{"name": SHARDING, "configuration": configuration}]


def shard_index(sharding: Codec | None) -> Codec:
    """Return the settings of the shard index: "index_codecs" and "index_location".

    Parameters
    ----------
    sharding
        Sharding codec from Zarr format 3 metadata; None for Zarr's defaults.
    """
    codec = sharding or json.loads(json.dumps(ShardingCodec(chunk_shape=(1,)).to_dict()))
    configuration = codec["configuration"]
    return {key: configuration[key] for key in ("index_codecs", "index_location")}
