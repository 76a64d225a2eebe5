"""The chunks and shards of a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import zarr

from rechunker.metadata.chunks import normalize_shards
from rechunker.metadata.codec_chain import index_of, sharding_of
from rechunker.metadata.dimensions import dimension_names
from rechunker.metadata.document import Document, Shape, chunk_shapes

__all__ = ["TargetGrid", "target_grid"]


@dataclass(frozen=True)
class TargetGrid:
    """Chunks and shards of a target.

    Parameters
    ----------
    chunks
        The unit of reading; inner chunks where there are shards.
    shards
        The unit of writing, or None.
    kept
        Whether all is as in the source.
    index
        How the index of a shard is stored.
    """

    chunks: Shape
    shards: Shape | None
    kept: bool
    index: dict[str, Any]


def target_grid(
    array: zarr.Array[Any],
    source: Document,
    chunks: Sequence[int] | None,
    words: Mapping[str, Any],
) -> TargetGrid:
    """Return the chunks and shards of a target.

    Parameters
    ----------
    array, source
        The source, and its metadata.
    chunks
        Chunks of the target; None: those of the source, and its shards.
    words
        Options by name.

    Raises
    ------
    ValueError, TypeError
        If `chunks` is None and those of the source are irregular, or shards do not fit.
    """
    inner, outer = chunk_shapes(source)
    sharding = sharding_of(source["codecs"]) if source["zarr_format"] == 3 else None
    irregular = source["zarr_format"] == 3 and source["chunk_grid"]["name"] != "regular"
    if chunks is None and irregular:
        raise ValueError("the chunks of the source are irregular; give target_chunks")
    own = tuple(inner or ()) if chunks is None else tuple(chunks)
    index = index_of(sharding)
    if "shards" not in words:
        return TargetGrid(own, outer if chunks is None else None, chunks is None, index)
    given = words["shards"]
    if isinstance(given, Mapping) and "shape" in given:
        location = given.get("index_location", index["index_location"])
        given, index = given["shape"], {**index, "index_location": location}
    if given is None:
        return TargetGrid(own, None, False, index)
    shards = normalize_shards(given, own, array.shape, dimension_names(array))
    return TargetGrid(own, shards, False, index)
