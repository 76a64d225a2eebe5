"""Direct codecs: chunks of plain numbers, encoded and decoded by numcodecs without Zarr."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from zarr.abc.buffer import Buffer
from zarr.buffer import cpu

from rechunker.copying.codecs.compressor import ByteCodec, byte_codec
from rechunker.copying.codecs.filters import Filters, filters_of
from rechunker.copying.codecs.piece import Piece
from rechunker.metadata.document import Document, Shape, chunk_shapes
from rechunker.planning import Box
from rechunker.scratch import Scratch

__all__ = ["DirectCodec", "direct_codec"]

Order = Literal["C", "F"]

_V3_DTYPES = frozenset(
    ["bool", "complex64", "complex128", "float16", "float32", "float64"]
    + [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
)


@dataclass(frozen=True)
class DirectCodec:
    """Codec of fixed-size elements in C or F order, filtered, and compressed by at most one codec.

    Parameters
    ----------
    dtype
        Dtype of the stored elements, with its byte order.
    shape
        Elements of a chunk along every axis.
    order
        Order of the elements in a stored chunk.
    compressor
        None for chunks that are not compressed.
    filters
        None for elements that are stored as they are.
    """

    dtype: np.dtype[Any]
    shape: Shape
    order: Order
    compressor: ByteCodec | None
    filters: Filters | None = None
    whole: bool = True

    @property
    def nbytes(self) -> int:
        """Bytes of a chunk that the compressor gets, or returns."""
        itemsize = self.filters.itemsize if self.filters else self.dtype.itemsize
        return prod(self.shape) * itemsize

    @property
    def stored_bytes(self) -> int:
        """Most bytes of a stored chunk."""
        return self.nbytes if self.compressor is None else int(1.02 * self.nbytes) + 512

    @property
    def read_bytes(self) -> int:
        stored = self.compressor.decoding_bytes(self.nbytes) if self.compressor else self.nbytes
        return stored + self._filtering

    @property
    def write_bytes(self) -> int:
        transposed = prod(self.shape) * self.dtype.itemsize if self.order == "F" else 0
        stored = self.compressor.encoding_bytes(self.nbytes) if self.compressor else 0
        filtered = self.nbytes if self.filters else 0
        return transposed + max(filtered + stored, self._filtering)

    @property
    def kept_bytes(self) -> int:
        return self.compressor.workspace(self.nbytes).kept if self.compressor else 0

    @property
    def lasting_bytes(self) -> int:
        return self.filters.kept_bytes(prod(self.shape)) if self.filters else 0

    @property
    def _filtering(self) -> int:
        return self.filters.working_bytes(prod(self.shape)) if self.filters else 0

    def decode(
        self, encoded: npt.NDArray[np.uint8], scratch: Scratch, part: Box | None = None
    ) -> Iterator[Piece]:
        raw = encoded
        del encoded  # so that its memory can go while the chunk is in use
        if self.compressor is None:
            self.check(raw)
        else:
            raw = self.compressor.decode(raw, self.nbytes, scratch)
        if self.filters is None:
            flat = np.frombuffer(raw, self.dtype)
        else:
            flat = self.filters.decode(raw).view(self.dtype)
        yield (0,) * len(self.shape), flat.reshape(self.shape, order=self.order)

    def check(self, encoded: npt.NDArray[np.uint8], part: Box | None = None) -> None:
        if self.compressor is not None:
            self.compressor.check(encoded, self.nbytes)
        elif encoded.size != self.nbytes:
            raise ValueError(f"the object has {encoded.size} bytes, not {self.nbytes}")

    def encode(
        self,
        chunk: npt.NDArray[Any],
        scratch: Scratch,
        *,
        extent: Shape | None = None,
        write_empty: bool = True,
    ) -> Buffer:
        return cpu.Buffer.from_array_like(self.encoded(chunk))

    def encoded(self, chunk: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        """Return the bytes of a chunk, which may be those of its elements without a copy."""
        flat = chunk.astype(self.dtype, copy=False).ravel(order=self.order)
        stored = flat.view(np.uint8) if self.filters is None else self.filters.encode(flat)
        if self.compressor is None:
            return stored
        return np.frombuffer(self.compressor.encode(stored), np.uint8)


class _Encoding(NamedTuple):
    """How the elements of a chunk are stored."""

    dtype: np.dtype[Any]
    order: Order
    compressor: Mapping[str, Any] | None
    filters: Sequence[Mapping[str, Any]] = ()


def direct_codec(document: Document) -> DirectCodec | None:
    """Return the direct codec of an array; None if only Zarr can decode its chunks.

    Parameters
    ----------
    document
        Metadata of the array.
    """
    parse = _parse_v2 if document["zarr_format"] == 2 else _parse_v3
    encoding = parse(document)
    shape = chunk_shapes(document).chunks
    if shape is None or encoding is None or encoding.dtype.kind not in "biufcmM":
        return None
    dtype, order, config, configs = encoding
    filters = filters_of(configs, dtype) if configs else None
    typesize = filters.typesize if filters else dtype.itemsize
    compressor = byte_codec(config, typesize) if config else None
    if (config and compressor is None) or (configs and filters is None):
        return None
    return DirectCodec(dtype, shape, order if len(shape) > 1 else "C", compressor, filters)


def _parse_v2(document: Document) -> _Encoding | None:
    if not isinstance(document["dtype"], str):
        return None
    plain, filters = np.dtype(document["dtype"]), document.get("filters") or ()
    return _Encoding(plain, document["order"], document["compressor"], filters)


def _parse_v3(document: Document) -> _Encoding | None:
    dtype, codecs = document["data_type"], list(document["codecs"])
    order: Order = "C"
    if codecs and codecs[0]["name"] == "transpose":
        axes = list(range(len(document["shape"])))
        if list(codecs.pop(0)["configuration"]["order"]) != axes[::-1]:
            return None
        order = "F"
    if not codecs or codecs[0]["name"] != "bytes" or len(codecs) > 2:
        return None
    if not isinstance(dtype, str) or dtype not in _V3_DTYPES:
        return None
    endian = codecs[0].get("configuration", {}).get("endian", "little")
    plain = np.dtype(dtype).newbyteorder(">" if endian == "big" else "<")
    return _Encoding(plain, order, codecs[1] if len(codecs) == 2 else None)
