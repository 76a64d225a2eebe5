"""Copying: what one task does: read units, put them in place, write objects."""

from __future__ import annotations

from rechunker.copying.alone import is_for_one
from rechunker.copying.buffers import is_variable_length
from rechunker.copying.checksums import CHECKSUM_BYTES
from rechunker.copying.codecs import (
    LARGEST_KEPT,
    CellCodec,
    ChunkCodec,
    CompressedCells,
    ObjectCellCodec,
    Piece,
    byte_codec,
    part_of,
)
from rechunker.copying.copy import CopyWork
from rechunker.copying.errors import CopyError
from rechunker.copying.heap import trim_heap
from rechunker.copying.lanes import TRIM_AFTER, Lane, Lanes
from rechunker.copying.listing import check_keys, find_stored
from rechunker.copying.reading import Reader, RegionReader, ZarrReader
from rechunker.copying.recorded import RecordedStage, settle
from rechunker.copying.shard_reading import ShardReader
from rechunker.copying.stored_array import StoredArray
from rechunker.copying.stored_keys import StoredKeys
from rechunker.copying.summing import sum_stage
from rechunker.copying.sums import digest_of_sum, name_of_dtype, sum_of, words_of
from rechunker.copying.temp_objects import TempObjects, spill
from rechunker.copying.temp_reader import TempReader
from rechunker.copying.temp_writer import TempWriter
from rechunker.copying.transfer import TransferWork, encoded_alike
from rechunker.copying.writing import Writer, ZarrWriter
from rechunker.copying.zarr_settings import changed_settings

__all__ = [
    "CHECKSUM_BYTES",
    "LARGEST_KEPT",
    "TRIM_AFTER",
    "CellCodec",
    "ChunkCodec",
    "CompressedCells",
    "CopyError",
    "CopyWork",
    "Lane",
    "Lanes",
    "ObjectCellCodec",
    "Piece",
    "Reader",
    "RecordedStage",
    "RegionReader",
    "ShardReader",
    "StoredArray",
    "StoredKeys",
    "TempObjects",
    "TempReader",
    "TempWriter",
    "TransferWork",
    "Writer",
    "ZarrReader",
    "ZarrWriter",
    "byte_codec",
    "changed_settings",
    "check_keys",
    "digest_of_sum",
    "encoded_alike",
    "find_stored",
    "is_for_one",
    "is_variable_length",
    "name_of_dtype",
    "part_of",
    "settle",
    "spill",
    "sum_of",
    "sum_stage",
    "trim_heap",
    "words_of",
]
