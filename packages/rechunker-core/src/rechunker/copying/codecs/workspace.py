"""Workspace: the memory that compressors allocate for themselves, besides input and output.

The figures are bounds for c-blosc 1.21, zstd 1.5, liblzma 5 and CPython's modules, measured at
every allocation.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, NamedTuple

import numcodecs
import numpy as np
from numcodecs.abc import Codec

__all__ = ["LARGEST_KEPT", "WORDS", "Workspace", "workspace_of"]

# The C library keeps freed buffers of less than this size in the heap of their thread; it returns
# larger ones at once (DEFAULT_MMAP_THRESHOLD_MAX of the GNU C library).
LARGEST_KEPT = 1 << 25

# Blosc takes its typesize from the dtype of the buffer: unsigned integers carry it with every
# version of numcodecs.
WORDS = {1: "u1", 2: "u2", 4: "u4", 8: "u8", 16: "c16"}

_MEGABYTE = 1 << 20
# LZMA's tables: MB for its presets 0 to 9 (`xz --help`).
_LZMA_ENCODER = (3, 9, 17, 32, 48, 94, 94, 186, 370, 674)
_LZMA_DECODER = (1, 2, 3, 5, 5, 9, 9, 17, 33, 65)
# Times the size of a dictionary that a filter names: 11.5 with the match finder bt4 (lzma12.h).
_LZMA_TABLES = 12
# Zstandard's tables: 100 kB for its levels 0 (which stands for 3) to 22; see
# `ZSTD_estimateCCtxSize()`. Those for small inputs have 20 bytes for each byte of the input,
# rounded up to a power of two.
_ZSTD_ENCODER = (
    *(14, 7, 9, 14, 27, 37, 37, 69, 69, 132, 258, 258, 509),
    *(342, 509, 677, 509, 511, 517, 853, 1700, 3370, 6810),
)
_ZSTD_DECODER = 100_000
# Deflate has tables of 268 kB, and lz4hc of 262 kB.
_TABLES = 300_000
# A decoder has a window of 32 kB (zlib) and, since Python 3.12, a read buffer of 128 kB that is
# copied twice (gzip); or blocks of up to 900 kB (`man bzip2`).
_DECODERS = {"gzip": 450_000, "zlib": 1 << 16, "bz2": 3_700_000}
# Blosc's blocks have at most 1 MB unless a size is given.
_LARGER_THAN_BLOCKS = 2 * _MEGABYTE
# Blosc's buffers are aligned. The GNU C library often does not find their freed memory again
# (https://sourceware.org/bugzilla/show_bug.cgi?id=14581): its heap grows to four times their size
# (measured with version 2.36).
_KEPT = 3


# Workspaces up to this size are left to the margin of the thread: they do not depend on the chunk,
# and a memory limit for tiny chunks may be smaller.
_SMALL = 4 * _MEGABYTE


class Workspace(NamedTuple):
    """Bytes that one call takes, besides input and output.

    Parameters
    ----------
    encode, decode
        Peak memory of an encoder, and of a decoder.
    kept
        Bytes that belong to the thread: small workspaces, and freed memory that the C library
        keeps.
    """

    encode: int
    decode: int
    kept: int = 0


def workspace_of(codec: Codec, typesize: int | None, nbytes: int) -> Workspace:
    """Return the workspace of a compressor of numcodecs.

    Parameters
    ----------
    codec
        The compressor.
    typesize
        Bytes of the words that Blosc shuffles.
    nbytes
        Bytes to compress, or to get.
    """
    name = codec.codec_id
    if name == "blosc":
        return _blosc(json.dumps(codec.get_config()), typesize or 1, nbytes)
    if name == "zstd":
        return _in_thread(_zstd_encoder(codec.level, nbytes), _ZSTD_DECODER)
    if name == "lzma":
        preset = int(codec.preset if codec.preset is not None else 6) & 15
        tables = (_LZMA_ENCODER[preset], _LZMA_DECODER[preset])
        encode, decode = (_MEGABYTE * size for size in tables)
        dictionary = max((part.get("dict_size") or 0 for part in codec.filters or ()), default=0)
        return Workspace(encode + _LZMA_TABLES * dictionary, decode + dictionary)
    return Workspace(0, _DECODERS.get(name, 0), 0 if name == "lz4" else _TABLES)


def _in_thread(encode: int, decode: int, kept: int = 0) -> Workspace:
    """Return a workspace whose small parts belong to the thread."""
    own = min(_SMALL, max(encode, decode))
    return Workspace(max(0, encode - own), max(0, decode - own), kept + own)


def _zstd_encoder(level: int, nbytes: int) -> int:
    tables = 100_000 * _ZSTD_ENCODER[min(level, 22) if level >= 0 else 1]
    return min(tables, 500_000 + 20 * (1 << max(0, nbytes - 1).bit_length()))


@lru_cache(maxsize=64)
def _blosc(config: str, typesize: int, nbytes: int) -> Workspace:
    given: dict[str, Any] = json.loads(config)
    # Blosc chooses the size of its blocks, and every frame tells it.
    words = np.zeros(min(nbytes, _LARGER_THAN_BLOCKS) // typesize, WORDS[typesize])
    frame = numcodecs.get_codec(dict(given)).encode(words)
    block = max(int.from_bytes(frame[8:12], "little"), given["blocksize"])
    buffers = 2 * (min(block, nbytes) + 4 * typesize) + 4096
    encoder, decoder = 0 if given["cname"] in ("lz4", "blosclz") else _TABLES, 0
    if given["cname"] == "zstd":
        level = 2 * given["clevel"] - 1 if given["clevel"] < 9 else 22
        encoder, decoder = _zstd_encoder(level, block), _ZSTD_DECODER
    return _in_thread(buffers + encoder, buffers + decoder, _KEPT * buffers)
