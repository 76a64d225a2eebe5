"""Compressors of numcodecs that turn bytes into bytes, with the memory that they take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numcodecs
import numpy as np
import numpy.typing as npt
from numcodecs import Blosc
from numcodecs.abc import Codec

from rechunker.copying.codecs.frames import FRAMES, stated_size
from rechunker.copying.codecs.streams import STEP, STREAMS, decode_stream
from rechunker.scratch import Scratch

__all__ = ["ByteCodec", "byte_codec"]

Bytes = npt.NDArray[np.uint8]

_SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}
# Encoders of streams join their output from parts, which takes up to 5 times the bytes (measured).
# LZMA also has tables: MB for its presets 0 to 9 (`xz --help`); the last entry is for other codecs.
_LZMA_ENCODER = (3, 9, 17, 32, 48, 94, 94, 186, 370, 674, 0)
_LZMA_DECODER = (1, 2, 3, 5, 5, 9, 9, 17, 33, 65, 0)
_MEGABYTE = 1 << 20
# Bytes of a decoder's state: a window of 32 kB and, since Python 3.12, a read buffer of 128 kB that
# is copied twice (gzip); blocks of up to 900 kB (`man bzip2`).
_DECODERS = {"gzip": 450_000, "zlib": 1 << 16, "bz2": 3_700_000}
# Blosc takes its typesize from the dtype of the buffer: unsigned integers carry it with every
# version of numcodecs.
_WORDS = {1: "u1", 2: "u2", 4: "u4", 8: "u8", 16: "c16"}


@dataclass(frozen=True)
class ByteCodec:
    """A compressor of numcodecs.

    Parameters
    ----------
    codec
        The compressor.
    typesize
        Bytes of the words that Blosc shuffles; None for other compressors.
    """

    codec: Codec
    typesize: int | None = None

    def encode(self, data: Bytes) -> bytes:
        """Compress contiguous bytes."""
        words = data if self.typesize is None else data.view(_WORDS[self.typesize])
        return bytes(self.codec.encode(words))

    def decode(self, encoded: Bytes, nbytes: int, scratch: Scratch) -> Bytes:
        """Decompress an object into reused memory.

        Raises
        ------
        ValueError
            If the object does not decode to exactly `nbytes` bytes.
        Exception
            Whatever the decoder raises for an object that is damaged.
        """
        self.check(encoded, nbytes)
        out = scratch.take(nbytes)
        if self.codec.codec_id in STREAMS:
            decode_stream(self.codec, encoded, out)
        else:
            self.codec.decode(encoded, out)
        return out

    def check(self, encoded: Bytes, nbytes: int) -> None:
        """Check the decoded size that an object states, if it states one.

        Raises
        ------
        ValueError
            If the object states another size than `nbytes`, or is too short for its header.
        """
        if self.codec.codec_id in FRAMES:
            size = stated_size(self.codec.codec_id, encoded)
            if size not in (None, nbytes):
                raise ValueError(f"the object decodes to {size} bytes, not to {nbytes}")
        elif not encoded.size:
            raise ValueError("the object is empty")

    def encoding_bytes(self, nbytes: int) -> int:
        """Return the peak memory, in bytes and besides the input, to compress `nbytes` bytes."""
        most = nbytes + nbytes // 64 + 256  # the size of incompressible data
        if self.codec.codec_id in FRAMES:
            return most
        return 5 * most + _MEGABYTE * _LZMA_ENCODER[self._preset]

    def decoding_bytes(self, nbytes: int) -> int:
        """Return the peak memory, in bytes and with input and output, to get `nbytes` bytes."""
        most = nbytes + nbytes // 64 + 256
        if self.codec.codec_id in FRAMES:
            return most + nbytes
        # The object is copied to be read as a file; each decoded part is held up to three times.
        state = _MEGABYTE * _LZMA_DECODER[self._preset] + _DECODERS.get(self.codec.codec_id, 0)
        return 2 * most + 13 * nbytes // 4 + 3 * min(nbytes, STEP) + state

    @property
    def _preset(self) -> int:
        """Preset of LZMA, an index of the tables above; -1 for other codecs."""
        if self.codec.codec_id != "lzma":
            return -1
        return int(self.codec.preset if self.codec.preset is not None else 6) & 15


def byte_codec(config: Mapping[str, Any], itemsize: int) -> ByteCodec | None:
    """Return the compressor for a codec in metadata; None unless numcodecs has it.

    Parameters
    ----------
    config
        Metadata of the codec: ``{"id": ...}`` in format 2, ``{"name": ..., "configuration": ...}``
        in format 3.
    itemsize
        Bytes of an element.
    """
    given = dict(config.get("configuration", config))
    name = config.get("id") or config["name"].removeprefix("numcodecs.")
    given.pop("id", None)
    if name not in FRAMES and name not in STREAMS:
        return None
    typesize = None
    if name == "blosc":
        typesize = given.pop("typesize", None) or itemsize
        if typesize not in _WORDS or itemsize % typesize:
            return None
        # A key with a default may be missing: zarr.codecs.numcodecs.Blosc writes no "shuffle".
        shuffle = given.get("shuffle", Blosc.SHUFFLE)
        given["shuffle"] = _SHUFFLES.get(shuffle, shuffle)
    return ByteCodec(numcodecs.get_codec({"id": name, **given}), typesize)
