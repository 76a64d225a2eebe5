"""Of a shard, a task reads the index and the chunks that it needs, where the store can do that."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from counting import CountingStore, objects
from zarr.abc.buffer import Buffer
from zarr.buffer import cpu
from zarr.codecs import BytesCodec, ShardingCodec, ZstdCodec
from zarr.storage import FsspecStore, LocalStore, MemoryStore, ZipStore

import rechunker
from rechunker import Rechunked, rechunk
from rechunker.copying import CopyError, Lanes, ShardReader, StoredArray
from rechunker.copying.codecs import shard_runs
from rechunker.executors.python import PythonExecutor
from rechunker.metadata import document_of
from rechunker.planning import Box
from rechunker.stores import access
from rechunker.stores.mapping import MappingStore

SHAPE, CHUNKS, SHARDS = (63, 67), (5, 5), (30, 70)
NEEDED = 20_000  # too little for a shard
VALUES = np.random.default_rng(1).integers(0, 2**31, SHAPE).astype("i4")
VALUES[5:20, 20:40] = VALUES[30:60] = 7


def create(store: Any, **options: Any) -> zarr.Array[Any]:
    """Return an array of whose shards some are missing, and of others some chunks are."""
    codec: dict[str, Any] = {"codecs": [BytesCodec(), ZstdCodec()], **options}
    array = zarr.create_array(
        store,
        shape=SHAPE,
        chunks=SHARDS,
        serializer=ShardingCodec(chunk_shape=CHUNKS, **codec),
        compressors=None,
        filters=None,
        dtype="i4",
        fill_value=7,
    )
    array[...] = VALUES
    return array


def planned(source: Any, target: Any, chunks: Any = (63, 2), **options: Any) -> Rechunked[Any]:
    settings = {"executor": PythonExecutor(2), **options}
    return rechunk(source, chunks, NEEDED, target, **settings)


def check_counts(plan: Rechunked[Any]) -> Any:
    """Check that as much was read as planned, or known not to be there, or read with others."""
    assert plan.report is not None
    (done,) = (stage for stage in plan.report.stages if stage.predicted is not None)
    before, did = done.predicted, done.executed
    assert before is not None
    assert did is not None
    assert did.gets + did.missing + did.joined == before.gets
    assert (did.tasks, did.bytes_read) == (before.tasks, before.bytes_read)
    assert did.puts + did.empty == before.puts
    return did


STORES: dict[str, Any] = {
    "local": lambda path: LocalStore(path / "s"),
    "memory": lambda path: MemoryStore(),
    "fsspec": lambda path: FsspecStore.from_url(f"memory://{path}/s"),
    "wrapped": lambda path: CountingStore(),
}


@pytest.mark.parametrize("name", STORES)
def test_parts_of_shards_are_read_as_planned(name: str, tmp_path: Path) -> None:
    for location in ("start", "end"):
        store: Any = STORES[name](tmp_path / location)
        source = create(store, index_location=location)
        plan = planned(source, MemoryStore())
        (only,) = plan.copy_plan[""].stages
        assert plan.copy_plan[""].shards is not None
        assert only.bytes_read < 4 * VALUES.nbytes, "much more is read than the array"
        if name == "wrapped":
            store.forget()
        target = plan.execute(verify=True)
        np.testing.assert_array_equal(target[...], VALUES)
        done = check_counts(plan)
        assert done.missing > 0
        assert done.joined > 0
        if name == "wrapped":
            assert objects(store.gets).total() == done.gets
        assert plan.report is not None
        for memory in ("100MB", NEEDED):
            assert plan.report.digests == rechunker.digest(source, max_mem=memory).arrays


def test_enough_memory_for_whole_shards_makes_a_request_for_each(tmp_path: Path) -> None:
    source = create(FsspecStore.from_url(f"memory://{tmp_path}/s"))
    plan = rechunk(source, (63, 67), "100MB", MemoryStore(), executor=PythonExecutor(2))
    assert plan.copy_plan[""].shards is None
    assert plan.copy_plan[""].stages[0].gets == 3


@pytest.mark.parametrize("kind", ["mapping", "zip"])
def test_shards_are_read_whole_where_a_store_knows_no_ranges(kind: str, tmp_path: Path) -> None:
    store = MappingStore({}) if kind == "mapping" else ZipStore(tmp_path / "s.zip", mode="w")
    source = create(store)
    with pytest.raises(rechunker.MemoryLimitError):
        planned(source, MemoryStore())
    plan = rechunk(source, (63, 2), "1MB", MemoryStore(), executor="python")
    np.testing.assert_array_equal(plan.execute()[...], VALUES)
    store.close()


class OddStore(CountingStore):
    """Answers a request for a range in its own way."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Buffer | None:
        if byte_range is None:
            return await super().get(key, prototype)
        found: Buffer | None = self.answer(
            await super().get(key, prototype), await super().get(key, prototype, byte_range)
        )
        return found


def test_a_server_that_sends_whole_objects_is_understood() -> None:
    for location in ("start", "end"):
        source = create(OddStore(lambda whole, part: whole), index_location=location)
        target = planned(source, MemoryStore()).execute()
        np.testing.assert_array_equal(target[...], VALUES)


def test_a_short_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rechunker.stores.requests.FIRST_PAUSE", 0.0)
    answers = itertools.count()

    def cut(whole: Any, part: Any) -> Any:
        return part if part is None or next(answers) % 3 else part[: len(part) - 1]

    source = create(OddStore(cut))
    plan = planned(source, MemoryStore(), executor=PythonExecutor(1))
    np.testing.assert_array_equal(plan.execute()[...], VALUES)
    check_counts(plan)
    assert plan.traffic is not None
    assert plan.traffic.retries > 0


def test_a_shard_that_goes_while_it_is_read_is_an_error() -> None:
    for gone, words in ((0, "it was there when rechunk"), (1, "the shard is gone")):
        reads = itertools.count()
        store = OddStore(lambda whole, part: None if next(reads) >= gone else part)  # noqa: B023
        plan = planned(create(store), MemoryStore(), executor=PythonExecutor(1))
        with pytest.raises(CopyError, match=words):
            plan.execute()


def test_a_run_on_parts_of_shards_goes_on(tmp_path: Path) -> None:
    source = create(tmp_path / "s")
    shard = tmp_path / "s" / "c" / "2" / "0"
    content = shard.read_bytes()
    shard.write_bytes(content[:-1] + b"?")
    chunks = (5, 67)
    with pytest.raises(CopyError, match="c/2/0.*checksum"):
        planned(source, tmp_path / "t", chunks).execute()
    shard.write_bytes(content)
    plan = planned(source, tmp_path / "t", chunks)
    target = plan.execute(resume=True)
    np.testing.assert_array_equal(target[...], VALUES)
    assert plan.traffic is not None
    assert plan.traffic.known > 0


def test_chunks_that_lie_close_together_are_read_at_once() -> None:
    # Offsets and sizes: a hole of 10 bytes, one of 11, and two chunks that share their bytes.
    ranges = np.array([(51, 10), (0, 20), (30, 10), (80, 99), (80, 99), (179, 1)], "u8")
    numbers = np.arange(6)

    def runs(at_once: int, gap: int) -> list[tuple[int, int, list[int]]]:
        found = shard_runs(numbers, ranges, at_once, gap)
        return [(run.start, run.size, [n for n, _, _ in run.chunks]) for run in found]

    shared = (80, 99, [3, 4])
    assert runs(100, 10) == [(0, 40, [1, 2]), (51, 10, [0]), (80, 100, [3, 4, 5])]
    assert runs(99, 20) == [(0, 61, [1, 2, 0]), shared, (179, 1, [5])]
    assert runs(0, 0) == [
        (0, 20, [1]),
        (30, 10, [2]),
        (51, 10, [0]),
        (80, 99, [3]),
        (80, 99, [4]),
        (179, 1, [5]),
    ]


HOSTILE = [
    (0, 2**63),
    (2**64 - 2, 1),
    (2**63, 2**63),
    (10**6, 10),
    (0, 10**12),
    (5, 0),
]


@pytest.mark.parametrize("name", STORES)
def test_an_index_that_points_outside_is_an_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No memory is asked for that the shard does not fill."""
    monkeypatch.setattr("rechunker.stores.requests.FIRST_PAUSE", 0.0)
    store: Any = STORES[name](tmp_path)
    codec: dict[str, Any] = {"index_codecs": [BytesCodec()], "index_location": "start"}
    source = create(store, **codec)
    reader = ShardReader.of(StoredArray.of(source.store_path, document_of(source), 4))
    assert reader is not None
    entries = reader.codec.index.entries
    for entry in HOSTILE:
        table = np.full((entries, 2), 2**64 - 1, "<u8")
        table[0] = entry
        access.put(store, "c/0/0", cpu.Buffer.from_bytes(table.tobytes() + bytes(100)))
        with Lanes(1) as lanes, pytest.raises(Exception, match=SAID) as caught:
            list(reader.pieces((0, 0), Box((0, 0), (30, 3)), lanes.first))
        assert not isinstance(caught.value, MemoryError), entry
        # What is not needed is not looked at.
        with Lanes(1) as lanes:
            pieces = list(reader.pieces((0, 0), Box((0, 10), (30, 20)), lanes.first))
        assert len(pieces) == 12


SAID = re.compile("the index says|bytes of the object instead of|is empty|has 0 bytes|is too short")
