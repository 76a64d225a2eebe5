"""Codecs: single chunks, shards and cells, encoded and decoded."""

from __future__ import annotations

from rechunker.copying.codecs.cell import CellCodec, CompressedCells, ObjectCellCodec
from rechunker.copying.codecs.chunk import ChunkCodec, chunk_codec
from rechunker.copying.codecs.compressor import ByteCodec, byte_codec
from rechunker.copying.codecs.piece import Piece, part_of
from rechunker.copying.codecs.shard_runs import ShardRun, shard_runs
from rechunker.copying.codecs.shards import ShardCodec
from rechunker.copying.codecs.workspace import LARGEST_KEPT

__all__ = [
    "LARGEST_KEPT",
    "ByteCodec",
    "CellCodec",
    "ChunkCodec",
    "CompressedCells",
    "ObjectCellCodec",
    "Piece",
    "ShardCodec",
    "ShardRun",
    "byte_codec",
    "chunk_codec",
    "part_of",
    "shard_runs",
]
