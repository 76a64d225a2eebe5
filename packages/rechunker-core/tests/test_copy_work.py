"""Tasks of every layout, on cells of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore, MemoryStore

from rechunker.copying import (
    CopyWork,
    StoredArray,
    TempObjects,
    TempReader,
    TempWriter,
    ZarrReader,
    ZarrWriter,
)
from rechunker.metadata import document_of
from rechunker.planning import Layout

SHAPE = (1100, 1000)  # 8.8 MB: more than two slabs


def stored(array: zarr.Array[Any]) -> StoredArray:
    return StoredArray.of(array.store_path, document_of(array), array.dtype.itemsize)


# Where the cell is the buffer it is read at once, so a view knows no slabs.
READS = [
    (Layout.VIEW, None),
    *((layout, slab) for layout in (Layout.PACKED, Layout.PADDED) for slab in (None, 1 << 22, 1)),
]


@pytest.mark.parametrize(("layout", "slab"), READS)
@pytest.mark.parametrize("local", [True, False])
def test_one_large_cell(tmp_path: Path, layout: Layout, slab: int | None, local: bool) -> None:
    source = zarr.create_array({}, shape=SHAPE, chunks=(550, 500), dtype="f8")
    source[...] = np.random.default_rng(0).random(SHAPE)
    target = zarr.create_array({}, shape=SHAPE, chunks=(300, 1000), dtype="f8")
    store = LocalStore(tmp_path) if local else MemoryStore()
    objects = TempObjects(store, "x", SHAPE, SHAPE, SHAPE, source.dtype, None, 8)
    reader, writer = ZarrReader(stored(source)), ZarrWriter(stored(target))
    first = CopyWork("copy", SHAPE, SHAPE, reader, TempWriter(objects), Layout.PACKED, 2)
    last = CopyWork("copy", SHAPE, SHAPE, TempReader(objects, slab), writer, layout, 2)
    done = [*first(range(1)), *last(range(1))]
    np.testing.assert_array_equal(target[...], source[...])
    assert [(one.gets, one.puts) for one in done] == [(4, 1), (1, 4)]
