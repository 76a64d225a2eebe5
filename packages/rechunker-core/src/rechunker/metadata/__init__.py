"""Metadata: documents of arrays, and those of a target made from its source and the options."""

from __future__ import annotations

from rechunker.metadata.axis_sizes import LEFT_OUT, axis_sizes, is_size
from rechunker.metadata.chain_formats import chain_in_v2, chain_in_v3
from rechunker.metadata.chunks import (
    AUTO_BYTES,
    normalize_chunks,
    normalize_shards,
    scaled_shards,
)
from rechunker.metadata.codec_chain import Chain, ChainV2, chain_of, codecs_of
from rechunker.metadata.codec_formats import (
    check_codecs,
    check_serializer,
    codec_name,
    is_v2,
    to_v2,
    to_v3,
)
from rechunker.metadata.dimensions import Dimensions, dimension_names
from rechunker.metadata.document import (
    Document,
    Shape,
    array_from_document,
    as_read,
    chunk_shapes,
    document_of,
    quiet,
)
from rechunker.metadata.limits import check_codec_limits, check_codecs_of_source, codec_limit
from rechunker.metadata.objects import group_files, metadata_files
from rechunker.metadata.options import ArrayOptions, parse_options
from rechunker.metadata.target_document import target_document
from rechunker.metadata.wording import REFUSALS, check_names, did_you_mean, refusal

__all__ = [
    "AUTO_BYTES",
    "LEFT_OUT",
    "REFUSALS",
    "ArrayOptions",
    "Chain",
    "ChainV2",
    "Dimensions",
    "Document",
    "Shape",
    "array_from_document",
    "as_read",
    "axis_sizes",
    "chain_in_v2",
    "chain_in_v3",
    "chain_of",
    "check_codec_limits",
    "check_codecs",
    "check_codecs_of_source",
    "check_names",
    "check_serializer",
    "chunk_shapes",
    "codec_limit",
    "codec_name",
    "codecs_of",
    "did_you_mean",
    "dimension_names",
    "document_of",
    "group_files",
    "is_size",
    "is_v2",
    "metadata_files",
    "normalize_chunks",
    "normalize_shards",
    "parse_options",
    "quiet",
    "refusal",
    "scaled_shards",
    "target_document",
    "to_v2",
    "to_v3",
]
