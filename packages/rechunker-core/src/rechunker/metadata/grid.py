"""The chunks and shards of a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import zarr

from rechunker.metadata.chunks import normalize_shards
from rechunker.metadata.codec_chain import index_of, sharding_of
from rechunker.metadata.dimensions import dimension_names

__all__ = ["TargetGrid", "source_grid", "target_grid"]

Document = Mapping[str, Any]
Shape = tuple[int, ...]


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


def source_grid(document: Document) -> tuple[Shape | None, Shape | None]:
    """Return the chunks of an array, and its shards.

    Parameters
    ----------
    document
        Metadata of either format.

    Returns
    -------
    chunks
        None where they are irregular.
    shards
        None where there are none, or they are irregular.
    """
    if document["zarr_format"] == 2:
        return tuple(document["chunks"]), None
    grid, codecs = document["chunk_grid"], document["codecs"]
    outer = tuple(grid["configuration"]["chunk_shape"]) if grid["name"] == "regular" else None
    # As zarr sees it: an array with a codec around the sharding codec has chunks alone.
    if len(codecs) == 1 and (sharding := sharding_of(codecs)) is not None:
        return tuple(sharding["configuration"]["chunk_shape"]), outer
    return outer, None


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
    inner, outer = source_grid(source)
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
