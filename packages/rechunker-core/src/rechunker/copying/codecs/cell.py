"""How cells of temporary objects are encoded, where they are not stored as they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rechunker.copying.codecs.chunk import ZarrCodec
from rechunker.copying.codecs.direct import ByteCodec
from rechunker.scratch import Scratch

__all__ = ["CellCodec", "CompressedCells", "ObjectCellCodec"]


class CellCodec(Protocol):
    """Turns one cell of any shape into bytes and back."""

    def encode(self, cell: npt.NDArray[Any]) -> bytes: ...

    def decode(
        self, encoded: npt.NDArray[np.uint8], shape: tuple[int, ...], scratch: Scratch
    ) -> npt.NDArray[Any]: ...


@dataclass(frozen=True)
class CompressedCells:
    """Elements of fixed size, compressed."""

    dtype: np.dtype[Any]
    compressor: ByteCodec

    def encode(self, cell: npt.NDArray[Any]) -> bytes:
        return self.compressor.encode(cell.reshape(-1).view(np.uint8))

    def decode(
        self, encoded: npt.NDArray[np.uint8], shape: tuple[int, ...], scratch: Scratch
    ) -> npt.NDArray[Any]:
        count = int(np.prod(shape, dtype=np.int64))
        raw = self.compressor.decode(encoded, count * self.dtype.itemsize, scratch)
        return np.frombuffer(raw, self.dtype, count).reshape(shape)


@dataclass(frozen=True)
class ObjectCellCodec:
    """Elements of any length, encoded as the source encodes its chunks.

    Parameters
    ----------
    metadata
        The source's metadata document, as JSON.
    """

    metadata: str

    def encode(self, cell: npt.NDArray[Any]) -> bytes:
        return self._codec(cell.shape).encode(cell).to_bytes()

    def decode(
        self, encoded: npt.NDArray[np.uint8], shape: tuple[int, ...], scratch: Scratch
    ) -> npt.NDArray[Any]:
        pieces = self._codec(shape).decode(encoded, scratch)
        return next(pieces)[1]

    def _codec(self, shape: tuple[int, ...]) -> ZarrCodec:
        document = json.loads(self.metadata)
        if document["zarr_format"] == 2:
            document["chunks"] = list(shape)
        else:
            document["chunk_grid"]["configuration"]["chunk_shape"] = list(shape)
        return ZarrCodec.of(document, 1)
