"""Chunk shape and shard shape of a target, from its source and the options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import zarr

from rechunker.metadata.chunks import normalize_shards, scaled_shards
from rechunker.metadata.codec_chain import shard_index, sharding_of
from rechunker.metadata.dimensions import dimension_names
from rechunker.metadata.document import Document, Shape, chunk_shapes
from rechunker.metadata.options import ArrayOptions

__all__ = ["TargetGrid", "target_grid"]


@dataclass(frozen=True)
class TargetGrid:
    """Chunks and shards of a target.

    Parameters
    ----------
    chunks
        Elements of a chunk along every axis, of an inner chunk if there are shards.
    shards
        Elements of a shard along every axis; None without shards.
    kept
        Whether the target keeps the chunks and shards of the source.
    index
        Settings of the shard index: "index_codecs" and "index_location".
    """

    chunks: Shape
    shards: Shape | None
    kept: bool
    index: dict[str, Any]


def target_grid(
    array: zarr.Array[Any],
    source: Document,
    chunks: Sequence[int] | None,
    options: ArrayOptions,
    itemsize: int,
) -> TargetGrid:
    """Return the chunks and shards of a target.

    Parameters
    ----------
    array, source
        Source array, and its metadata.
    chunks
        Chunk shape of the target; None to keep the chunks and shards of the source.
    options
        Options of the target. "shards" is a shard shape, or a dict with "shape" and
        "index_location". Without it, the shards of the source are scaled to the new chunks.
    itemsize
        Bytes of an element.

    Raises
    ------
    ValueError
        If `chunks` is None and the source has an irregular chunk grid, or a shard does not hold
        whole chunks.
    TypeError
        If "shards" is not a shard shape.
    """
    source_chunks, source_shards = chunk_shapes(source)
    sharding = sharding_of(source["codecs"]) if source["zarr_format"] == 3 else None
    irregular = source["zarr_format"] == 3 and source["chunk_grid"]["name"] != "regular"
    if chunks is None and irregular:
        raise ValueError("the chunks of the source are irregular; give target_chunks")
    shape = tuple(source_chunks or ()) if chunks is None else tuple(chunks)
    index = shard_index(sharding)
    if "shards" not in options.named:
        shards = source_shards
        if chunks is not None and shards is not None:
            shards = scaled_shards(shards, shape, array.shape, itemsize, options.limit)
        return TargetGrid(shape, shards, chunks is None, index)
    shards = options.named["shards"]
    if isinstance(shards, Mapping) and "shape" in shards:
        location = shards.get("index_location", index["index_location"])
        shards, index = shards["shape"], {**index, "index_location": location}
    if shards is not None:
        dims = dimension_names(array, source)
        sizes: dict[str, Any] = {"itemsize": itemsize, "limit": options.limit}
        shards = normalize_shards(shards, shape, array.shape, dims, **sizes)
    return TargetGrid(shape, shards, False, index)
