"""Frames: the decoded size of a compressed object, as its headers tell it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

__all__ = ["FRAMES", "most_decoded", "stated_size"]

Bytes = npt.NDArray[np.uint8]

_ZSTD_MAGIC = 0xFD2FB528
_ZSTD_SKIPPABLE = 0x184D2A50
# Types of blocks: one byte, to be repeated; and compressed, which decodes to 128 kB at most.
_ZSTD_RUN, _ZSTD_COMPRESSED = 1, 2
_ZSTD_BLOCK = 1 << 17
# Bytes of the content size, by the first two bits of the frame header descriptor.
_ZSTD_SIZES = (0, 2, 4, 8)
_ZSTD_DICTIONARIES = (0, 1, 2, 4)
_BLOSC_HEADER = 16


def stated_size(codec: str, encoded: Bytes) -> int | None:
    """Return the decoded size in bytes that a compressed object states; None if it states none.

    Decoders of numcodecs (0.16 and 0.17) that decode into an output buffer return the buffer
    whatever they wrote to it, and that of Blosc reads a header also where the object is too short
    to have one. So the size must be known before they are called.

    Parameters
    ----------
    codec
        Name of a codec in `FRAMES`.
    encoded
        The object.

    Raises
    ------
    ValueError
        If the object is too short for its header, or for what the header states.
    """
    return FRAMES[codec](encoded)


def most_decoded(codec: str, encoded: Bytes) -> int:
    """Return the most bytes that a compressed object can decode to.

    Parameters
    ----------
    codec
        Name of a codec in `FRAMES`.
    encoded
        The object.

    Raises
    ------
    ValueError
        If the object is too short for its header, or for what the header states.
    """
    if codec != "zstd":
        return FRAMES[codec](encoded) or 0
    return sum(most if size is None else size for size, most in _zstd_frames(encoded))


def _integer(encoded: Bytes, start: int, size: int) -> int:
    if encoded.size < start + size:
        raise ValueError(f"the object ends in its header: it has {encoded.size} bytes")
    return int.from_bytes(encoded[start : start + size].tobytes(), "little")


def _blosc(encoded: Bytes) -> int:
    """Read the header of a Blosc chunk: https://github.com/Blosc/c-blosc, README_CHUNK_FORMAT."""
    stored = _integer(encoded, _BLOSC_HEADER - 4, 4)
    if stored > encoded.size:
        raise ValueError(f"the object has {encoded.size} bytes of {stored}")
    return _integer(encoded, 4, 4)


def _lz4(encoded: Bytes) -> int:
    """Read the size that numcodecs puts before an LZ4 block."""
    return _integer(encoded, 0, 4)


def _zstd(encoded: Bytes) -> int | None:
    """Add up the sizes of all Zstandard frames: RFC 8878, section 3.1.

    A frame that was written as a stream states no size. numcodecs decodes it since 0.16, which
    also checks that it fills the output buffer; older versions refuse it.
    """
    total = 0
    for size, _ in _zstd_frames(encoded):
        if size is None:
            return None
        total += size
    return total


def _zstd_frames(encoded: Bytes) -> Iterator[tuple[int | None, int]]:
    """Yield the decoded size that each frame states, and the most that its blocks decode to."""
    start = 0
    while start < encoded.size or not start:
        magic = _integer(encoded, start, 4)
        if magic & ~0xF == _ZSTD_SKIPPABLE:
            start += 8 + _integer(encoded, start + 4, 4)
            continue
        if magic != _ZSTD_MAGIC:
            raise ValueError(f"byte {start} of the object does not begin a Zstandard frame")
        descriptor = _integer(encoded, start + 4, 1)
        flag, single = descriptor >> 6, descriptor >> 5 & 1
        size = _ZSTD_SIZES[flag] or single
        start += 5 + (not single) + _ZSTD_DICTIONARIES[descriptor & 3]
        stated = _integer(encoded, start, size) + (256 if size == 2 else 0) if size else None
        end, most = _blocks(encoded, start + size)
        yield stated, most
        start = end + 4 * (descriptor >> 2 & 1)


def _blocks(encoded: Bytes, start: int) -> tuple[int, int]:
    """Return where the blocks of a Zstandard frame end, and the most that they decode to."""
    last = most = 0
    while not last:
        header = _integer(encoded, start, 3)
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        start += 3 + (1 if kind == _ZSTD_RUN else size)
        most += _ZSTD_BLOCK if kind == _ZSTD_COMPRESSED else size
    if start > encoded.size:
        raise ValueError(f"the object has {encoded.size} bytes of {start}")
    return start, most


FRAMES: Mapping[str, Callable[[Bytes], int | None]] = {
    "blosc": _blosc,
    "lz4": _lz4,
    "zstd": _zstd,
}
