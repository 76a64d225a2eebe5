"""Streams: gzip, zlib, bz2 and lzma objects decoded into memory of a known size, and no more."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from numcodecs.abc import Codec

__all__ = ["STEP", "STREAMS", "decode_at_most", "decode_stream"]

Bytes = npt.NDArray[np.uint8]

# Bytes to decode at a time: what a decoder puts out is copied once.
STEP = 1 << 16


class _Stream(Protocol):
    """Decoded bytes, to be read from the first to the last."""

    def read(self, size: int) -> bytes: ...


class _ZlibStream:
    """A zlib object; bytes behind its end are ignored, as `zlib.decompress` does."""

    def __init__(self, encoded: Bytes) -> None:
        self._decoder = zlib.decompressobj()
        self._rest: Any = encoded

    def read(self, size: int) -> bytes:
        part = self._decoder.decompress(self._rest, size)
        self._rest = self._decoder.unconsumed_tail
        if not part and not self._decoder.eof:
            raise EOFError("the object ends before its end-of-stream marker")
        return part


def _gzip(codec: Any, encoded: Bytes) -> _Stream:
    return gzip.GzipFile(fileobj=io.BytesIO(encoded.data))


def _zlib(codec: Any, encoded: Bytes) -> _Stream:
    return _ZlibStream(encoded)


def _bz2(codec: Any, encoded: Bytes) -> _Stream:
    return bz2.BZ2File(io.BytesIO(encoded.data))


def _lzma(codec: Any, encoded: Bytes) -> _Stream:
    # Python 3.13 closes an LZMAFile that it could not make, and finds nothing to close.
    lzma.LZMADecompressor(codec.format, filters=codec.filters)
    return lzma.LZMAFile(io.BytesIO(encoded.data), format=codec.format, filters=codec.filters)


STREAMS: Mapping[str, Callable[[Any, Bytes], _Stream]] = {
    "bz2": _bz2,
    "gzip": _gzip,
    "lzma": _lzma,
    "zlib": _zlib,
}


def decode_stream(codec: Codec, encoded: Bytes, out: Bytes) -> None:
    """Fill `out` with a decoded object.

    A stream may state any size, and decode to far more than it states: not more than `out` holds
    is decoded, plus one byte that shows whether there is more.

    Parameters
    ----------
    codec
        Codec of numcodecs, one of `STREAMS`.
    encoded
        The object.
    out
        Memory for the decoded bytes.

    Raises
    ------
    ValueError
        If the object decodes to fewer or to more bytes.
    Exception
        Whatever the decoder raises for an object that is damaged.
    """
    stream = STREAMS[codec.codec_id](codec, encoded)
    done = 0
    while done < out.size:
        part = stream.read(min(STEP, out.size - done))
        if not part:
            raise ValueError(f"the object decodes to {done} bytes, not to {out.size}")
        out[done : done + len(part)] = np.frombuffer(part, np.uint8)
        done += len(part)
    if stream.read(1):
        raise ValueError(f"the object decodes to more than {out.size} bytes")


def decode_at_most(codec: Codec, encoded: Bytes, most: int) -> bytes:
    """Return a decoded object, of which only the largest size is known.

    Parameters
    ----------
    codec
        Codec of numcodecs, one of `STREAMS`.
    encoded
        The object.
    most
        Bytes.

    Raises
    ------
    ValueError
        If the object decodes to more bytes.
    Exception
        Whatever the decoder raises for an object that is damaged.
    """
    stream = STREAMS[codec.codec_id](codec, encoded)
    out = io.BytesIO()
    while part := stream.read(STEP):
        out.write(part)
        if out.tell() > most:
            out.close()  # the error may live longer than anybody needs this
            raise ValueError(f"the object decodes to more than {most} bytes")
    return out.getvalue()
