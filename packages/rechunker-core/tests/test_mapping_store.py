"""Zarr's own tests of stores, run on mappings of several kinds."""

from __future__ import annotations

import asyncio
import functools
import inspect
import pickle
from collections import UserDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.buffer.cpu import Buffer
from zarr.storage import MemoryStore
from zarr.testing.store import StoreTests

from rechunker.stores.mapping import MappingStore


def synchronous(test: Callable[..., Any]) -> Callable[..., Any]:
    """Run a test that is a coroutine function; pytest itself does not."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


class MappingStoreTests(StoreTests[MappingStore, Buffer]):
    """Zarr's tests, as plain functions, on the mapping that a subclass makes."""

    store_cls = MappingStore
    buffer_cls = Buffer

    def __init_subclass__(cls) -> None:
        for name, test in inspect.getmembers(StoreTests, inspect.iscoroutinefunction):
            if name.startswith("test_") and name not in vars(MappingStoreTests):
                setattr(cls, name, synchronous(test))

    def make(self) -> Any:
        raise NotImplementedError

    @pytest.fixture
    def store_kwargs(self) -> dict[str, Any]:
        return {"mapping": self.make()}

    @pytest.fixture
    def open_kwargs(self, store_kwargs: dict[str, Any]) -> dict[str, Any]:
        return store_kwargs

    @pytest.fixture
    def store(self, open_kwargs: dict[str, Any]) -> Any:
        return asyncio.run(MappingStore.open(**open_kwargs))

    @pytest.fixture
    def store_not_open(self, store_kwargs: dict[str, Any]) -> Any:
        return MappingStore(**store_kwargs)

    async def set(self, store: MappingStore, key: str, value: Any) -> None:
        store.mapping[key] = value.to_bytes()

    async def get(self, store: MappingStore, key: str) -> Buffer:
        return Buffer.from_bytes(store.mapping[key])

    def test_store_repr(self, store: MappingStore) -> None:
        kind = type(store.mapping).__name__
        assert repr(store) == f"MappingStore('mapping://{kind}/{id(store.mapping)}')"

    def test_serializable_store(self, store: MappingStore) -> None:  # type: ignore[override]
        """A copy of equal content is another place: what is written there is lost."""
        assert pickle.loads(pickle.dumps(store)) != store

    def test_store_supports_writes(self, store: MappingStore) -> None:
        assert store.supports_writes

    def test_store_supports_listing(self, store: MappingStore) -> None:
        assert store.supports_listing


class TestUserDict(MappingStoreTests):
    def make(self) -> UserDict[str, bytes]:
        return UserDict()


class TestDict(MappingStoreTests):
    def make(self) -> dict[str, bytes]:
        return {}


def test_bytes_that_are_no_buffers_of_zarr_are_read() -> None:
    store = MappingStore({"a": bytearray(b"abc")})
    found = store.get_sync("a")
    assert found is not None
    assert found.to_bytes() == b"abc"


def test_buffers_of_zarr_are_read() -> None:
    objects: dict[str, Any] = {}
    source = zarr.create_array(MemoryStore(objects), shape=(4,), chunks=(2,), dtype="i4")
    source[:] = [3, 1, 4, 1]
    opened = zarr.open_array(MappingStore(objects))
    assert np.array_equal(opened[:], [3, 1, 4, 1])


def test_values_are_written_as_bytes() -> None:
    mapping: UserDict[str, bytes] = UserDict()
    zarr.create_array(MappingStore(mapping), shape=(4,), chunks=(2,), dtype="i4")[:] = 5
    assert {type(value) for value in mapping.values()} == {bytes}


def test_two_mappings_of_equal_content_are_two_stores() -> None:
    assert MappingStore({"a": b"1"}) != MappingStore({"a": b"1"})
