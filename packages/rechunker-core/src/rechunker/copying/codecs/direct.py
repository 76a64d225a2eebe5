"""Chunks of plain numbers, compressed by codecs that numcodecs has, without Zarr in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numcodecs
import numpy as np
import numpy.typing as npt
from numcodecs.abc import Codec
from zarr.abc.buffer import Buffer
from zarr.buffer import cpu

from rechunker.scratch import Scratch

__all__ = ["ByteCodec", "DirectCodec", "byte_codec", "direct_codec"]

Document = Mapping[str, Any]
Piece = tuple[tuple[int, ...], npt.NDArray[Any]]

_SHUFFLES = {"noshuffle": 0, "shuffle": 1, "bitshuffle": 2}
# Compressors, by their names in v2, and those of them that decode into memory given to them.
_COMPRESSORS = frozenset({"blosc", "zstd", "lz4", "gzip", "zlib", "bz2", "lzma"})
_IN_PLACE = frozenset({"blosc", "zstd", "lz4"})
# The others put their results together from parts, in up to 5 times the bytes (measured), and
# LZMA has tables of so many megabytes for its presets 0 to 9 (`xz --help`); the last is for none.
_LZMA_ENCODER = (3, 9, 17, 32, 48, 94, 94, 186, 370, 674, 0)
_LZMA_DECODER = (1, 2, 3, 5, 5, 9, 9, 17, 33, 65, 0)
_MEGABYTE = 1 << 20
# Unsigned integers carry the size of an element to Blosc, whatever numcodecs is installed.
_WORDS = {1: "u1", 2: "u2", 4: "u4", 8: "u8", 16: "c16"}


@dataclass(frozen=True)
class ByteCodec:
    """A compressor of numcodecs, with the size of the words it is told to expect."""

    codec: Codec
    typesize: int | None = None

    def encode(self, data: npt.NDArray[np.uint8]) -> bytes:
        """Compress contiguous bytes."""
        words = data if self.typesize is None else data.view(_WORDS[self.typesize])
        return bytes(self.codec.encode(words))

    def decode(self, encoded: npt.NDArray[np.uint8], nbytes: int, scratch: Scratch) -> Any:
        """Decompress `nbytes` bytes, into reused memory where the compressor can do that."""
        if self.codec.codec_id in _IN_PLACE:
            return self.codec.decode(encoded, scratch.take(nbytes))
        return self.codec.decode(encoded)

    def encoding_bytes(self, nbytes: int) -> int:
        """Bytes that are held at most, besides them, while `nbytes` bytes are compressed."""
        most = nbytes + nbytes // 64 + 256  # of bytes that do not compress at all
        if self.codec.codec_id in _IN_PLACE:
            return most
        return 5 * most + _MEGABYTE * _LZMA_ENCODER[self._preset]

    def decoding_bytes(self, nbytes: int) -> int:
        """Bytes that are held at most, the result included, to get `nbytes` bytes back."""
        most = nbytes + nbytes // 64 + 256
        if self.codec.codec_id in _IN_PLACE:
            return most + nbytes
        return 2 * most + 13 * nbytes // 4 + _MEGABYTE * _LZMA_DECODER[self._preset]

    @property
    def _preset(self) -> int:
        """Level of LZMA, whose tables are large; -1 for all others."""
        if self.codec.codec_id != "lzma":
            return -1
        return int(self.codec.preset if self.codec.preset is not None else 6) & 15


def byte_codec(config: Mapping[str, Any], itemsize: int) -> ByteCodec | None:
    """Return the compressor that a codec in metadata stands for; None if numcodecs has it not.

    Parameters
    ----------
    config
        As in the metadata: ``{"id": ...}`` in v2, ``{"name": ..., "configuration": ...}`` in v3.
    itemsize
        Bytes of an element.
    """
    given = dict(config.get("configuration", config))
    name = config.get("id") or config["name"].removeprefix("numcodecs.")
    given.pop("id", None)
    if name not in _COMPRESSORS:
        return None
    typesize = None
    if name == "blosc":
        typesize = given.pop("typesize", None) or itemsize
        if typesize not in _WORDS or itemsize % typesize:
            return None
        given["shuffle"] = _SHUFFLES.get(given["shuffle"], given["shuffle"])
    return ByteCodec(numcodecs.get_codec({"id": name, **given}), typesize)


@dataclass(frozen=True)
class DirectCodec:
    """Elements of fixed size in C or F order, compressed by at most one codec.

    Parameters
    ----------
    dtype
        As stored, with its byte order.
    shape
        Elements of a stored chunk along every axis.
    order
        Order of the elements in a stored chunk, "C" or "F".
    compressor
        None for a chunk that is stored as it is.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: Any
    compressor: ByteCodec | None
    whole: bool = True

    @property
    def nbytes(self) -> int:
        """Bytes of a decoded chunk."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def read_bytes(self) -> int:
        return self.compressor.decoding_bytes(self.nbytes) if self.compressor else self.nbytes

    @property
    def write_bytes(self) -> int:
        turned = self.nbytes if self.order == "F" else 0
        return turned + (self.compressor.encoding_bytes(self.nbytes) if self.compressor else 0)

    def decode(self, encoded: npt.NDArray[np.uint8], scratch: Scratch) -> Iterator[Piece]:
        raw: Any = encoded
        del encoded  # so that it can go while the chunk is used
        if self.compressor is not None:
            raw = self.compressor.decode(raw, self.nbytes, scratch)
        flat = np.frombuffer(raw, self.dtype, prod(self.shape))
        yield (0,) * len(self.shape), flat.reshape(self.shape, order=self.order)

    def encode(self, chunk: npt.NDArray[Any]) -> Buffer:
        stored = chunk.astype(self.dtype, copy=False).ravel(order=self.order).view(np.uint8)
        if self.compressor is None:
            return cpu.Buffer.from_array_like(stored)
        return cpu.Buffer.from_bytes(self.compressor.encode(stored))


def direct_codec(document: Document) -> DirectCodec | None:
    """Return the direct codec of an array, or None where only Zarr knows how to decode it."""
    parse = _parse_v2 if document["zarr_format"] == 2 else _parse_v3
    found = parse(document)
    if found is None or found[0].kind not in "biufcmM":
        return None
    dtype, shape, order, config = found
    compressor = byte_codec(config, dtype.itemsize) if config else None
    if config and compressor is None:
        return None
    return DirectCodec(dtype, shape, order if len(shape) > 1 else "C", compressor)


Parsed = tuple[np.dtype[Any], tuple[int, ...], str, Mapping[str, Any] | None]


def _parse_v2(document: Document) -> Parsed | None:
    if document.get("filters") or not isinstance(document["dtype"], str):
        return None
    dtype = np.dtype(document["dtype"])
    return dtype, tuple(document["chunks"]), document["order"], document["compressor"]


def _parse_v3(document: Document) -> Parsed | None:
    dtype, grid, codecs = document["data_type"], document["chunk_grid"], list(document["codecs"])
    if not isinstance(dtype, str) or grid["name"] != "regular":
        return None
    shape, order = tuple(grid["configuration"]["chunk_shape"]), "C"
    if codecs and codecs[0]["name"] == "transpose":
        if list(codecs.pop(0)["configuration"]["order"]) != list(range(len(shape)))[::-1]:
            return None
        order = "F"
    if not codecs or codecs[0]["name"] != "bytes" or len(codecs) > 2 or dtype not in _V3_DTYPES:
        return None
    endian = codecs[0].get("configuration", {}).get("endian", "little")
    plain = np.dtype(dtype).newbyteorder(">" if endian == "big" else "<")
    return plain, shape, order, codecs[1] if len(codecs) == 2 else None


_V3_DTYPES = frozenset(
    ["bool", "complex64", "complex128", "float16", "float32", "float64"]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)
