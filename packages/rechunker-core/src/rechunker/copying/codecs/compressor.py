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
from rechunker.copying.codecs.workspace import WORDS, Workspace, workspace_of
from rechunker.scratch import Scratch

__all__ = ["ByteCodec", "byte_codec"]

Bytes = npt.NDArray[np.uint8]

_SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}


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
        words = data if self.typesize is None else data.view(WORDS[self.typesize])
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

    @property
    def encoding_factor(self) -> float:
        """Peak memory to compress many bytes besides the input, as a multiple of them."""
        # Encoders of streams join their output from parts (measured).
        return 1.02 if self.codec.codec_id in FRAMES else 5.1

    @property
    def decoding_factor(self) -> float:
        """Peak memory to get many bytes, with input and output, as a multiple of them."""
        # The object is copied to be read as a file; each decoded part is held up to three times.
        return 2.02 if self.codec.codec_id in FRAMES else 5.3

    def encoding_bytes(self, nbytes: int) -> int:
        """Return the peak memory, in bytes and besides the input, to compress `nbytes` bytes."""
        return int(self.encoding_factor * (nbytes + 256)) + self.workspace(nbytes).encode

    def decoding_bytes(self, nbytes: int) -> int:
        """Return the peak memory, in bytes and with input and output, to get `nbytes` bytes."""
        parts = 0 if self.codec.codec_id in FRAMES else 3 * min(nbytes, STEP)
        state = self.workspace(nbytes).decode + parts
        return int(self.decoding_factor * (nbytes + 256)) + state

    def workspace(self, nbytes: int) -> Workspace:
        """Return what the compressor allocates for itself."""
        return workspace_of(self.codec, self.typesize, nbytes)


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
        if typesize not in WORDS or itemsize % typesize:
            return None
        # A key with a default may be missing: zarr.codecs.numcodecs.Blosc writes no "shuffle".
        shuffle = given.get("shuffle", Blosc.SHUFFLE)
        given["shuffle"] = _SHUFFLES.get(shuffle, shuffle)
    return ByteCodec(numcodecs.get_codec({"id": name, **given}), typesize)
