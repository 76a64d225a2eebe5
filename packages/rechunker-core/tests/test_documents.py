"""What the metadata of a target keeps of its source."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
import zarr.codecs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numcodecs.abc import Codec
from zarr.buffer.cpu import Buffer
from zarr.storage import LocalStore, MemoryStore, StorePath
from zarr.testing.strategies import arrays

from rechunker.documents import (
    array_from_document,
    document_of,
    metadata_files,
    target_document,
)
from rechunker.options import ArrayOptions, parse_options

PLAIN = ArrayOptions()
GRID = ("chunks", "chunk_grid", "codecs")


def create(**given: Any) -> zarr.Array[Any]:
    """Create an array of any dtype without a word about it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        defaults = {"store": {}, "shape": (6, 4), "chunks": (3, 4), "dtype": "i4"}
        return zarr.create_array(**{**defaults, **given})


def stored(files: dict[str, bytes]) -> dict[str, Buffer]:
    return {key: Buffer.from_bytes(content) for key, content in files.items()}


def put(array: zarr.Array[Any], **changes: Any) -> zarr.Array[Any]:
    """Change the stored metadata of an array in memory and open it anew."""
    store: Any = array.store
    name = "zarr.json" if array.metadata.zarr_format == 3 else ".zarray"
    files = {key: buffer.to_bytes() for key, buffer in store._store_dict.items()}
    files[name] = json.dumps({**json.loads(files[name]), **changes}).encode()
    return zarr.open_array(MemoryStore(stored(files)))


@st.composite
def sources(draw: st.DrawFn) -> zarr.Array[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return draw(arrays())


def text(document: dict[str, Any], *without: str) -> str:
    """Return metadata as text, in which one NaN equals another."""
    kept = {key: value for key, value in document.items() if key not in without}
    return json.dumps(kept, sort_keys=True)


def flat(codecs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    inside = [codec.get("configuration", {}).get("codecs", [codec]) for codec in codecs]
    return [leaf for part in inside for leaf in (part if len(part) == 1 and "codecs" not in part[0].get("configuration", {}) else (flat(part) if any("codecs" in c.get("configuration", {}) for c in part) else part))]


SLOW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(sources(), st.data())
def test_a_target_differs_from_any_source_in_its_chunks_alone(source, data) -> None:
    chunks = tuple(data.draw(st.integers(1, max(1, n))) for n in source.shape)
    before = document_of(source)
    after = target_document(source, chunks, PLAIN)
    assert text(after, *GRID) == text(before, *GRID)
    assert array_from_document(StorePath(MemoryStore()), after).chunks == chunks


@SLOW
@given(sources())
def test_what_is_written_reads_back_as_the_document(source) -> None:
    chunks = tuple(max(1, n) for n in source.shape)
    document = target_document(source, chunks, PLAIN)
    files = metadata_files(StorePath(MemoryStore()), document)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = zarr.open_array(MemoryStore(stored(files)))
    assert text(document_of(opened)) == text(document)
