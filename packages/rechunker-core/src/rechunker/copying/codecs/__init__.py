"""Codecs: single chunks and cells, encoded and decoded."""

from __future__ import annotations

from rechunker.copying.codecs.cell import CellCodec, CompressedCells, ObjectCellCodec
from rechunker.copying.codecs.chunk import ChunkCodec, chunk_codec
from rechunker.copying.codecs.direct import byte_codec

__all__ = [
    "CellCodec",
    "ChunkCodec",
    "CompressedCells",
    "ObjectCellCodec",
    "byte_codec",
    "chunk_codec",
]
