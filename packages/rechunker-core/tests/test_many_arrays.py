"""Groups of many arrays: what is alike is done once, and requests are made side by side."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import Any, TypeVar, cast

import numpy as np
import pytest
import zarr
from zarr.abc.store import Store
from zarr.buffer import cpu
from zarr.storage import MemoryStore, StorePath, WrapperStore

from rechunker import rechunk
from rechunker.jobs.unchanged import Sources
from rechunker.metadata import document
from rechunker.planning import search
from rechunker.stores import METADATA, access, node_digest

T = TypeVar("T")
NAMES = [f"group/array{i:02}" for i in range(48)]
CHUNKS = dict.fromkeys(NAMES, (10, 2))


class SlowStore(WrapperStore[Store]):
    """Counts requests and the most of them that are in flight; each takes a moment."""

    def __init__(self, store: Store | None = None) -> None:
        super().__init__(store or MemoryStore())
        self.forget()

    def with_read_only(self, read_only: bool = False) -> Any:
        return self

    def forget(self) -> None:
        self.count: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.now: Counter[str] = Counter()
        self.began: list[str] = []
        self.ended: list[str] = []
        self.rounds = 0

    async def _wait(self, kind: str, call: Awaitable[T]) -> T:
        self.count[kind] += 1
        self.rounds += not self.now.total()
        self.now[kind] += 1
        self.most[kind] = max(self.most[kind], self.now[kind])
        await asyncio.sleep(0.003)
        try:
            return await call
        finally:
            self.now[kind] -= 1

    async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        return await self._wait("get", self._store.get(key, *args, **kwargs))

    async def getsize(self, key: str) -> int:
        return await self._wait("size", self._store.getsize(key))

    async def set_if_not_exists(self, key: str, value: Any) -> None:
        await self._wait("claim", self._store.set_if_not_exists(key, value))

    async def delete(self, key: str) -> None:
        await self._wait("delete", self._store.delete(key))

    async def set(self, key: str, value: Any) -> None:
        is_metadata = key.rpartition("/")[2] in METADATA
        if is_metadata:
            self.began.append(key)
        await self._wait("publish" if is_metadata else "set", self._store.set(key, value))
        if is_metadata:
            self.ended.append(key)


@pytest.fixture(params=[2, 3])
def source(request: pytest.FixtureRequest) -> SlowStore:
    store = SlowStore()
    root = zarr.create_group(store._store, zarr_format=request.param)
    root.create_group("group", attributes={"group": 1})
    for number, name in enumerate(NAMES):
        array = root.create_array(
            name, shape=(10, 4), chunks=(2, 4), dtype="i4", attributes={"number": number}
        )
        array[...] = number
    return store


def test_what_is_alike_is_done_once(source: SlowStore) -> None:
    document._parsed.cache_clear()
    search.search.cache_clear()
    rechunk(zarr.open_group(source), CHUNKS, "1MB", {}, executor="python")
    # Source, target, one chunk of each; and each number of requests in flight.
    assert document._parsed.cache_info().misses <= 4
    assert search.search.cache_info().misses <= 5


def test_planning_asks_side_by_side_and_once(source: SlowStore) -> None:
    group = zarr.open_group(source, mode="r")
    source.forget()
    rechunk(group, CHUNKS, "1MB", {}, executor="python")
    # In format 2 its three objects, and the three that tell what is there.
    each = 1 if group.metadata.zarr_format == 3 else 6
    assert source.count["get"] <= each * len(NAMES) + 24  # those of groups
    assert source.count["size"] == 3 * len(NAMES)
    assert source.most["get"] >= 8
    assert source.most["size"] >= 8


def test_metadata_are_published_side_by_side_children_first(source: SlowStore) -> None:
    target = SlowStore()
    rechunked = rechunk(zarr.open_group(source), CHUNKS, "1MB", target, executor="python")
    target.forget()
    rechunked.execute()
    assert target.most["publish"] >= 8
    nodes = [key for key in target.began if not key.endswith(".zattrs")]
    arrays = {key for key in nodes if "array" in key}
    assert len(arrays) == len(NAMES)
    for parent in (key for key in nodes if "array" not in key):
        before = set(target.ended[: target.ended.index(parent)])
        assert arrays <= before
    assert target.ended[-1] in {"zarr.json", ".zgroup"}
    written = zarr.open_group(target._store, mode="r")
    for number, name in enumerate(NAMES):
        assert written[name].attrs["number"] == number
    assert written["group"].attrs["group"] == 1


def test_an_array_is_planned_and_published_in_few_rounds_of_requests() -> None:
    source, target = SlowStore(), SlowStore()
    zarr.create_array(source._store, shape=(10, 4), chunks=(2, 4), dtype="i4")[...] = 1
    array = zarr.open_array(source, mode="r")
    source.forget()
    rechunked = rechunk(array, (10, 2), "1MB", target, executor="python")
    assert source.rounds + target.rounds <= 6
    source.forget()
    target.forget()
    rechunked.execute()
    # Of these, seven are those of the chunks, and one opens the target.
    assert source.rounds + target.rounds <= 33
    assert np.all(zarr.open_array(target._store, mode="r")[...] == 1)


def test_what_one_listing_has_shown_is_not_listed_again(source: SlowStore) -> None:
    """Where nothing is left of another run, places of arrays are not looked at one by one."""
    listed: list[str] = []

    class Listed(SlowStore):
        def list_dir(self, prefix: str) -> Any:
            listed.append(prefix)
            return super().list_dir(prefix)

    def run(target: SlowStore) -> int:
        listed.clear()
        result = rechunk(zarr.open_group(source, mode="r"), CHUNKS, "1MB", target).execute()
        assert np.all(cast(Any, result[NAMES[1]])[...] == 1)
        return len(listed)

    assert run(Listed()) < len(NAMES)
    left, old = Listed(), f"{NAMES[0]}/c/7/7"
    if zarr.open_group(source).metadata.zarr_format == 2:
        old = f"{NAMES[0]}/7.7"
    access.put(left._store, old, cpu.Buffer.from_bytes(b"old"))
    assert run(left) >= len(NAMES)
    assert access.get(left._store, old) is None


@pytest.mark.parametrize("overwrite", [False, True])
def test_arrays_are_added_to_a_group_side_by_side(overwrite: bool) -> None:
    source, target = SlowStore(), SlowStore()
    names = [f"array{i:02}" for i in range(48)]
    for store, value in ((source, 1), (target, 2)):
        root = zarr.create_group(store._store)
        for name in names if overwrite or value == 1 else ["other"]:
            root.create_array(name, shape=(10, 4), chunks=(2, 4), dtype="i4")[...] = value
    each = {name: {"overwrite": overwrite} for name in names}
    rechunked = rechunk(
        zarr.open_group(source, mode="r"),
        dict.fromkeys(names, (10, 2)),
        "1MB",
        target,
        target_options=each,
        executor="python",
    )
    target.forget()
    rechunked.execute()
    assert target.count["claim"] == len(names)
    # A round after the other would be twenty and more of each array.
    assert target.rounds <= 7 * len(names)
    written = zarr.open_group(target._store, mode="r")
    assert all(np.all(cast(Any, written[name])[...] == 1) for name in names)
    assert overwrite or "other" in written


def test_sources_in_many_stores_are_looked_up_side_by_side() -> None:
    shared, nodes = SlowStore(), []
    for _ in range(24):
        store = SlowStore()
        store._wait = shared._wait  # type: ignore[method-assign]
        zarr.create_array(store._store, shape=(10, 4), chunks=(2, 4), dtype="i4")
        nodes.append((StorePath(store), node_digest(StorePath(store))))
    shared.forget()
    Sources(tuple(nodes)).check()
    assert shared.count["get"] == 24
    assert shared.most["get"] >= 8
    place, _ = nodes[7]
    zarr.create_array(cast(SlowStore, place.store)._store, shape=(9, 4), dtype="i4", overwrite=True)
    with pytest.raises(ValueError, match="have changed"):
        Sources(tuple(nodes)).check()
