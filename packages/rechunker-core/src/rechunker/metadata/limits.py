"""Limits: the largest chunks that codecs can hold, and the most dimensions of an array."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from rechunker.metadata.codec_chain import chain_of
from rechunker.metadata.document import Document, chunk_shapes

__all__ = ["check_codec_limits", "check_dimensions", "codec_limit"]

# Bytes: BLOSC_MAX_BUFFERSIZE of c-blosc 1, and LZ4_MAX_INPUT_SIZE.
CODEC_LIMITS = {"blosc": 2**31 - 1 - 16, "lz4": 2_113_929_216}
MOST_DIMENSIONS = 64  # NPY_MAXDIMS of NumPy 2


def check_dimensions(shape: Sequence[int]) -> None:
    """Check that NumPy can hold a chunk of an array.

    Parameters
    ----------
    shape
        Shape of the array.

    Raises
    ------
    ValueError
        If it has too many dimensions.
    """
    if len(shape) > MOST_DIMENSIONS:
        raise ValueError(
            f"the array has {len(shape)} dimensions, but NumPy arrays, and so chunks in memory, "
            f"have no more than {MOST_DIMENSIONS}; it cannot be read"
        )


def check_codec_limits(document: Document, itemsize: int) -> None:
    """Check that every codec of an array can hold a chunk.

    Parameters
    ----------
    document
        Metadata of the array.
    itemsize
        Bytes of one decoded element.

    Raises
    ------
    ValueError
        If a chunk, or an inner chunk of a shard, is too large for one of its codecs.
    """
    chunks = chunk_shapes(document).chunks
    if chunks is None:
        return
    nbytes = prod(chunks) * itemsize
    for name in _names(document):
        limit = CODEC_LIMITS.get(name)
        if limit is not None and nbytes > limit:
            raise ValueError(
                f"a chunk of shape {chunks} has {nbytes} bytes, but the codec {name!r} can hold no "
                f"more than {limit}; choose smaller target_chunks, or another compressor such as "
                "zstd"
            )


def codec_limit(document: Document) -> int | None:
    """Return the most bytes that every codec of an array can hold; None without a limit."""
    return min(
        (CODEC_LIMITS[name] for name in _names(document) if name in CODEC_LIMITS), default=None
    )


def _names(document: Document) -> list[str]:
    """Return the names of all codecs, as in Zarr format 2."""
    if document["zarr_format"] == 2:
        codecs = [*(document["filters"] or ()), document["compressor"]]
        return [codec["id"] for codec in codecs if codec is not None]
    chain = chain_of(document["codecs"])
    return [codec["name"].removeprefix("numcodecs.") for codec in chain.compressors]
