"""Cell codecs: the cells of temporary objects that are not stored as raw memory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rechunker.copying.codecs.chunk import ELEMENT_DECODED, ELEMENT_ENCODED, ZarrCodec
from rechunker.copying.codecs.compressor import ByteCodec
from rechunker.metadata.document import Shape, with_chunk_shape
from rechunker.scratch import Scratch

__all__ = ["CellCodec", "CompressedCells", "ObjectCellCodec"]


class CellCodec(Protocol):
    """Encodes and decodes one cell of any shape.

    Attributes
    ----------
    encoding_factor
        Peak memory to encode a cell besides the cell, as a multiple of it.
    decoding_factor
        Peak memory to decode a cell, encoded and decoded together, as a multiple of it.
    """

    @property
    def encoding_factor(self) -> float: ...
    @property
    def decoding_factor(self) -> float: ...

    def encode(self, cell: npt.NDArray[Any]) -> bytes: ...

    def decode(
        self, encoded: npt.NDArray[np.uint8], shape: Shape, scratch: Scratch
    ) -> npt.NDArray[Any]: ...


@dataclass(frozen=True)
class CompressedCells:
    """Codec of cells of fixed-size elements, compressed.

    Parameters
    ----------
    dtype
        Dtype of the elements.
    compressor
        Compresses the bytes of a cell.
    """

    dtype: np.dtype[Any]
    compressor: ByteCodec

    @property
    def encoding_factor(self) -> float:
        return self.compressor.encoding_factor

    @property
    def decoding_factor(self) -> float:
        return self.compressor.decoding_factor

    def encode(self, cell: npt.NDArray[Any]) -> bytes:
        return self.compressor.encode(cell.reshape(-1).view(np.uint8))

    def decode(
        self, encoded: npt.NDArray[np.uint8], shape: Shape, scratch: Scratch
    ) -> npt.NDArray[Any]:
        count = int(np.prod(shape, dtype=np.int64))
        raw = self.compressor.decode(encoded, count * self.dtype.itemsize, scratch)
        return np.frombuffer(raw, self.dtype, count).reshape(shape)


@dataclass(frozen=True)
class ObjectCellCodec:
    """Codec of cells of variable-length elements, encoded as Zarr encodes chunks.

    Parameters
    ----------
    metadata
        Document of an array with the codecs to use, as JSON.
    itemsize
        Estimated bytes of one decoded element.
    """

    metadata: str
    itemsize: int

    @property
    def encoding_factor(self) -> float:
        return 4 + ELEMENT_ENCODED / self.itemsize

    @property
    def decoding_factor(self) -> float:
        return 5 + ELEMENT_DECODED / self.itemsize

    def encode(self, cell: npt.NDArray[Any]) -> bytes:
        return _codec_of(self.metadata, cell.shape).encode(cell, Scratch()).to_bytes()

    def decode(
        self, encoded: npt.NDArray[np.uint8], shape: Shape, scratch: Scratch
    ) -> npt.NDArray[Any]:
        ((_, cell),) = _codec_of(self.metadata, shape).decode(encoded, scratch)
        return cell


@lru_cache(maxsize=64)
def _codec_of(metadata: str, shape: Shape) -> ZarrCodec:
    """Return the codec for cells of one shape; a task meets few shapes, each many times."""
    return ZarrCodec.of(with_chunk_shape(json.loads(metadata), shape), itemsize=1)
