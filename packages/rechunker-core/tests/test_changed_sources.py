"""A source that changes while it is rechunked is an error; a missing chunk may be the change."""

from __future__ import annotations

import zlib
from dataclasses import replace
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.buffer import cpu
from zarr.storage import LocalStore, MemoryStore, StorePath

from rechunker import CopyError, rechunk
from rechunker.copying import StoredArray, StoredKeys, find_stored
from rechunker.metadata import document_of
from rechunker.stores import access


def source_at(path: Path, rows: int = 40) -> zarr.Array[Any]:
    """Create an array of ten chunks, of which the first `rows` rows are stored."""
    source = zarr.create_array(path, shape=(40, 40), chunks=(4, 40), dtype="f8")
    source[:rows] = 1
    return source


def copy_while(source: Any, target: Path, change: Any) -> None:
    """Rechunk a source that is changed after the first task."""
    plan = rechunk(source, (40, 4), "11kB", target, temp_store=None, executor="python")
    assert plan.copy_plan[""].stages[0].tasks > 1
    plan.execute(progress=lambda done, total, nbytes: change() if done == 1 else None)


def test_a_moved_source_is_no_array_of_fill_values(tmp_path: Path) -> None:
    source = zarr.create_array(tmp_path / "s", shape=(40, 40), chunks=(4, 40), dtype="f8")
    source[...] = 1
    plan = rechunk(source, (40, 4), "1MB", tmp_path / "t", executor="python")
    (tmp_path / "s").rename(tmp_path / "moved")
    with pytest.raises(FileNotFoundError, match="cannot be seen from here: it was moved"):
        plan.execute()
    assert not (tmp_path / "t" / "zarr.json").exists()


def test_a_source_that_became_another_is_refused(tmp_path: Path) -> None:
    source = zarr.create_array(tmp_path / "s", shape=(40, 40), chunks=(4, 40), dtype="f8")
    plan = rechunk(source, (40, 4), "1MB", tmp_path / "t", executor="python")
    zarr.create_array(tmp_path / "s", shape=(40, 40), chunks=(8, 40), dtype="f8", overwrite=True)
    with pytest.raises(ValueError, match="is not what it was when rechunk"):
        plan.execute()


def test_new_attributes_make_no_other_source(tmp_path: Path) -> None:
    source = zarr.create_array(tmp_path / "s", shape=(40, 40), chunks=(4, 40), dtype="f8")
    plan = rechunk(source, (40, 4), "1MB", tmp_path / "t", executor="python")
    source.attrs["title"] = "new"
    assert plan.execute().shape == (40, 40)


def test_a_source_that_moves_while_it_is_read_is_not_taken_for_fill_values(tmp_path: Path) -> None:
    source = source_at(tmp_path / "s")
    with pytest.raises(CopyError, match="cannot be seen from here: it was moved"):
        copy_while(source, tmp_path / "t", lambda: (tmp_path / "s").rename(tmp_path / "moved"))


def test_a_missing_chunk_is_an_error_where_all_were_stored(tmp_path: Path) -> None:
    source = source_at(tmp_path / "s")
    with pytest.raises(CopyError, match="it was there when"):
        copy_while(source, tmp_path / "t", (tmp_path / "s/c/7/0").unlink)
    assert not (tmp_path / "t" / "zarr.json").exists()


def test_chunks_that_appear_in_a_sparse_array_keep_the_target_from_opening(tmp_path: Path) -> None:
    source = source_at(tmp_path / "s", rows=32)
    with pytest.raises(ValueError, match="8 chunks were stored then, 9 are now"):
        copy_while(source, tmp_path / "t", lambda: source.__setitem__(slice(32, 36), 2))
    assert not (tmp_path / "t" / "zarr.json").exists()


def test_a_missing_chunk_is_an_error_where_it_was_stored_among_others(tmp_path: Path) -> None:
    """It is found where it is read, also if the same number of chunks is there at the end."""
    source = source_at(tmp_path / "s", rows=32)

    def move() -> None:
        (tmp_path / "s/c/7").rename(tmp_path / "s/c/9")

    with pytest.raises(CopyError, match="it was there when"):
        copy_while(source, tmp_path / "t", move)
    plan = rechunk(source_at(tmp_path / "u", rows=32), (40, 4), "1MB", {}, executor="python")
    (tmp_path / "u/c/7").rename(tmp_path / "u/c/9")
    with pytest.raises(ValueError, match="8 are now, but not the same"):
        plan.execute()


@pytest.mark.parametrize("name", ["u10", "z500", "0"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_names_of_arrays_may_end_with_numbers(name: str, zarr_format: Any) -> None:
    store = MemoryStore()
    group = zarr.create_group(store, zarr_format=zarr_format)
    source = group.create_array(name, shape=(4, 4), chunks=(2, 2), dtype="f8")
    source[...] = 1
    plan = rechunk(group, {name: (4, 1)}, "1MB", {}, executor="python")
    del store._store_dict[f"{name}/{source.metadata.encode_chunk_key((0, 0))}"]
    with pytest.raises(CopyError, match="it was there when"):
        plan.execute()


def test_which_chunks_are_stored_does_not_depend_on_how_that_is_compressed() -> None:
    keys = StoredKeys.of(np.arange(1000) % 3 == 0)
    other = replace(keys, bits=zlib.compress(zlib.decompress(keys.bits), 1))
    assert keys.bits != other.bits
    assert keys == other
    assert str(keys) == str(other)
    assert keys != StoredKeys.of(np.arange(1000) % 3 == 1)


def test_chunks_that_vanish_before_the_start_are_found_at_the_start(tmp_path: Path) -> None:
    group = zarr.create_group(tmp_path / "s")
    source_at(tmp_path / "s" / "a", rows=8)
    plan = rechunk(group, {"a": (40, 4)}, "1MB", tmp_path / "t", executor="python")
    (tmp_path / "s/a/c/0/0").unlink()
    with pytest.raises(ValueError, match="s/a is not what it was .* 2 chunks were stored then, 1"):
        plan.execute()
    assert not (tmp_path / "t").exists()


def test_objects_of_the_grid_are_counted_and_no_others(tmp_path: Path) -> None:
    wrong = []
    encodings: list[dict[str, Any]] = [
        {"zarr_format": 2},
        {"zarr_format": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}},
        {"zarr_format": 3},
        {"zarr_format": 3, "chunk_key_encoding": {"name": "default", "separator": "."}},
        {"zarr_format": 3, "chunk_key_encoding": {"name": "v2", "separator": "."}},
    ]
    places = [MemoryStore(), LocalStore(tmp_path)]
    for encoding, store, shape in product(encodings, places, [(), (7, 9)]):
        place = StorePath(store, f"a{len(shape)}")
        array = zarr.create_array(
            place, shape=shape, chunks=(2, 3)[: len(shape)], dtype="i4", overwrite=True, **encoding
        )
        array[tuple(slice(3) for _ in shape)] = 5
        stored = StoredArray.of(place, document_of(array), 4)
        others = ["1/zarr.json", "1/c/0", "c.0.0.partial", "0.0.0", "notes"]
        if shape:  # what a larger array has left, and what is spelled in another way
            others.append(stored.key((4, 0)).removeprefix("a2/"))
            others += ["c/00/1", "00.1", "c/1/00", f"c/{10**30}/0", f"{10**30}.0", "c/\u0661/0"]
        for name in others:
            access.put(store, (place / name).path, cpu.Buffer.from_bytes(b"other"))
        found = find_stored(stored)
        wanted = [0, 3] if shape else [0]
        numbers = range(prod(stored.objects))
        if found is None or [n for n in numbers if found.contain(n)] != wanted:
            wrong.append((encoding, shape, store, found))
    assert not wrong


def test_links_that_lead_in_a_circle_are_no_chunks(tmp_path: Path) -> None:
    source = source_at(tmp_path / "s")
    (tmp_path / "s" / "c" / "around").symlink_to(tmp_path / "s")
    (tmp_path / "s" / "c" / "itself").symlink_to(tmp_path / "s" / "c" / "itself")
    plan = rechunk(source, (40, 4), "1MB", {}, executor="python")
    assert np.array_equal(plan.execute()[...], source[...])
    stored = StoredArray.of(StorePath(LocalStore(tmp_path / "s")), document_of(source), 8)
    assert find_stored(stored) == StoredKeys(10)


class Unlisted(LocalStore):
    """A store that may be read but not listed, as buckets may be."""

    def list_prefix(self, prefix: str) -> Any:
        raise PermissionError("ListBucket is denied")


def test_a_store_that_may_not_be_listed_is_a_source(tmp_path: Path) -> None:
    source = zarr.create_array(Unlisted(tmp_path), shape=(8, 8), chunks=(2, 8), dtype="i4")
    source[:4] = 3
    plan = rechunk(source, (8, 2), "1MB", {}, executor="python")
    assert np.array_equal(plan.execute()[...], source[...])
