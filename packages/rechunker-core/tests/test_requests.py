"""Requests to stores are tried again after errors that may pass, and not after others."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.exceptions
import numpy as np
import pytest
import zarr
from aiohttp import ClientPayloadError, ClientResponseError, ServerDisconnectedError
from obstore.exceptions import GenericError, PermissionDeniedError
from zarr.abc.store import RangeByteRequest, Store
from zarr.buffer import cpu
from zarr.storage import LocalStore, MemoryStore, WrapperStore

from rechunker import CopyError, rechunk
from rechunker.copying.lanes import Lanes
from rechunker.executors.python import PythonExecutor
from rechunker.stores import access, requests, take_retries
from rechunker.stores.requests import RETRIES, is_passing, retried
from rechunker.thread_context import until


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make pauses short, and write them down as they would be."""
    seen: list[float] = []
    pause = requests._pause

    def short(retries: int) -> float:
        seen.append(pause(retries))
        return seen[-1] / 1000

    monkeypatch.setattr(requests, "_pause", short)
    take_retries()
    return seen


class Flaky(WrapperStore[Store]):
    """Raises an error in its first requests of each kind."""

    def __init__(self, times: int, error: Exception | None = None) -> None:
        super().__init__(MemoryStore())
        self.error = error or ConnectionResetError("reset by peer")
        self.left: dict[str, int] = {}
        self.times = times

    def with_read_only(self, read_only: bool = False) -> Any:
        return self

    def _fail(self, what: str) -> None:
        left = self.left.setdefault(what, self.times)
        self.left[what] = left - 1
        if left > 0:
            raise self.error

    async def get(self, *args: Any, **kwargs: Any) -> Any:
        self._fail("get")
        return await super().get(*args, **kwargs)

    async def getsize(self, key: str) -> int:
        self._fail("getsize")
        return await super().getsize(key)

    async def set(self, *args: Any, **kwargs: Any) -> None:
        self._fail("set")
        await super().set(*args, **kwargs)

    async def set_if_not_exists(self, *args: Any, **kwargs: Any) -> None:
        self._fail("set_if_not_exists")
        await super().set_if_not_exists(*args, **kwargs)

    async def delete(self, key: str) -> None:
        self._fail("delete")
        await super().delete(key)

    async def delete_dir(self, prefix: str) -> None:
        self._fail("delete_dir")
        await super().delete_dir(prefix)

    async def list_prefix(self, prefix: str) -> Any:
        self._fail("list_prefix")
        async for key in super().list_prefix(prefix):
            yield key

    async def list_dir(self, prefix: str) -> Any:
        self._fail("list_dir")
        async for name in super().list_dir(prefix):
            yield name


def content(text: str) -> cpu.Buffer:
    return cpu.Buffer.from_bytes(text.encode())


def test_every_kind_of_request_is_tried_again() -> None:
    store = Flaky(2)
    access.put(store, "a/b", content("12345"))
    access.put_if_missing(store, "a/c", content("2"))
    assert access.get(store, "a/b") is not None
    assert access.sizes(store, ["a/b", "a/none"]) == [5, None]
    assert sorted(access.list_dir(store, "a")) == ["b", "c"]
    assert sorted(access.find_keys(store, "a/", lambda key: True)) == ["a/b", "a/c"]
    access.delete(store, "a/c")
    access.delete_dir(store, "a")
    assert access.get(store, "a/b") is None
    assert set(store.left) == {
        *("get", "getsize", "set", "set_if_not_exists", "delete", "delete_dir"),
        *("list_prefix", "list_dir"),
    }
    assert all(left <= 0 for left in store.left.values())


def test_a_request_is_given_up_after_some_attempts(pauses: list[float]) -> None:
    with pytest.raises(ConnectionResetError):
        access.get(Flaky(RETRIES + 1), "a")
    assert len(pauses) == RETRIES
    assert take_retries() == RETRIES
    assert access.get(Flaky(RETRIES), "a") is None


def test_pauses_grow_and_differ_between_workers(pauses: list[float]) -> None:
    access.get(Flaky(RETRIES), "a")
    for number, pause in enumerate(pauses):
        assert 0.05 * 2**number <= pause <= 0.1 * 2**number
    access.get(Flaky(1), "a")
    assert pauses[-1] != pauses[0]


def test_a_client_that_was_patient_itself_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    clock = iter([0.0, 31.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with pytest.raises(ConnectionResetError):
        retried(Flaky(0), Failing(1))
    assert pauses == []


class Failing:
    """A function that fails at first."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self) -> str:
        self.times -= 1
        if self.times >= 0:
            raise ConnectionResetError
        return "done"


def test_functions_that_make_requests_by_themselves_are_called_again() -> None:
    assert retried(Flaky(0), Failing(3)) == "done"
    assert take_retries() == 3


def test_memory_and_disks_are_asked_once(tmp_path: Path) -> None:
    for store in (MemoryStore(), LocalStore(tmp_path)):
        with pytest.raises(ConnectionResetError):
            retried(store, Failing(1))


def test_errors_that_may_pass_are_told_from_others() -> None:
    broken = botocore.exceptions.ConnectionClosedError(endpoint_url="http://x")
    request: Any = None
    passing = [
        *(TimeoutError(), ConnectionResetError(), OSError(errno.EIO, "internal error")),
        *(OSError(errno.EBUSY, "slow down"), EOFError("short"), ServerDisconnectedError()),
        *(broken, ClientPayloadError(), GenericError("503"), with_status(503), with_status(429)),
        ClientResponseError(request, (), status=502),
    ]
    others = [
        *(FileNotFoundError("key"), PermissionError("denied"), ValueError("bad"), KeyError("key")),
        *(OSError(errno.ENOSPC, "full"), OSError("no number"), NotImplementedError()),
        *(PermissionDeniedError("403"), with_status(403), with_status(404), MemoryError()),
        ClientResponseError(request, (), status=403),
    ]
    assert [error for error in passing if not is_passing(error)] == []
    assert [error for error in [*others, with_status([503])] if is_passing(error)] == []


def test_errors_of_s3fs_are_told_by_the_answer() -> None:
    def error(number: int, code: str, status: int | None) -> OSError:
        answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
        made = OSError(number, code)
        made.__cause__ = botocore.exceptions.ClientError(answer, "PutObject")
        return made

    assert is_passing(OSError(errno.EREMOTEIO, "internal error"))
    assert is_passing(error(errno.EIO, "ServiceUnavailable", 503))
    assert not is_passing(error(errno.EIO, "QuotaExceeded", 403))
    assert is_passing(error(errno.EIO, "what nobody knows", None))


def with_status(status: Any) -> Exception:
    error: Any = Exception("answer")
    error.status_code = status
    return error  # type: ignore[no-any-return]


def test_other_errors_are_raised_at_once(pauses: list[float]) -> None:
    with pytest.raises(PermissionError):
        access.get(Flaky(1, PermissionError("denied")), "a")
    assert pauses == []


class Short(Flaky):
    """Returns less of a range than it was asked for, in its first requests."""

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        found = await WrapperStore.get(self, key, prototype, byte_range)
        self.times -= 1
        return found[:-1] if found is not None and self.times >= 0 else found


def test_ranges_that_are_too_short_are_asked_for_again() -> None:
    store = Short(2)
    access.put(store, "a", content("0123456789"))
    store.times = 2
    found = access.get_range(store, "a", RangeByteRequest(2, 6), 4)
    assert found is not None
    assert found.to_bytes() == b"2345"
    assert take_retries() >= 2


@pytest.mark.parametrize("kind", [MemoryStore, lambda: Flaky(0)])
def test_ranges_beyond_the_end_are_errors(kind: Callable[[], Store]) -> None:
    store = kind()
    access.put(store, "a", content("0123456789"))
    with pytest.raises(EOFError, match="a: 2 bytes of the object instead of 4"):
        access.get_range(store, "a", RangeByteRequest(8, 12), 4)
    assert access.get_range(store, "b", RangeByteRequest(8, 12), 4) is None


def test_a_thread_that_is_to_stop_does_not_try_again(pauses: list[float]) -> None:
    with until(lambda: True), pytest.raises(ConnectionResetError):
        access.get(Flaky(1), "a")
    with until(lambda: True), pytest.raises(ConnectionResetError):
        retried(Flaky(0), Failing(1))
    assert pauses == []


def test_a_pause_ends_when_nobody_waits_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(requests, "FIRST_PAUSE", 60.0)
    stopped = threading.Event()
    threading.Timer(0.1, stopped.set).start()
    began = time.monotonic()
    function = Failing(2)
    with until(stopped.is_set), pytest.raises(ConnectionResetError):
        retried(Flaky(0), function)
    assert time.monotonic() - began < 20
    assert function.times == 1, "it is called after the stop"


def test_one_lane_that_fails_stops_the_retries_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that has failed does not wait for the pauses of its other threads."""
    monkeypatch.undo()
    monkeypatch.setattr(requests, "FIRST_PAUSE", 60.0)

    class Half(Flaky):
        async def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
            if key == "c/0/0" and self.times:
                raise ConnectionResetError
            if key == "c/1/0" and self.times:
                raise PermissionError("denied")
            return await WrapperStore.get(self, key, *args, **kwargs)

    store = Half(0)
    source = zarr.create_array(store, shape=(400, 400), chunks=(100, 400), dtype="f8")
    source[...] = 1
    plan = rechunk(source, (400, 100), "9MB", {}, executor=PythonExecutor(2))
    assert plan.copy_plan[""].footprint.concurrency == 2
    store.times = 1
    began = time.monotonic()
    with pytest.raises(CopyError):
        plan.execute()
    assert time.monotonic() - began < 20


def test_the_last_requests_of_a_task_are_tried_again_after_other_lanes_have_ended() -> None:
    ended, tries = threading.Event(), []

    def work(item: int, lane: Any) -> None:
        if item == 1:
            ended.set()
            return
        ended.wait(20)
        time.sleep(0.1)
        requests.retried(Flaky(0), failing)

    def failing() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionResetError

    with Lanes(2) as lanes:
        lanes.each([0, 1], work)
    assert len(tries) == 3


def test_retries_are_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    source = zarr.create_array(MemoryStore(), shape=(8, 8), chunks=(2, 8), dtype="i4")
    source[...] = np.arange(64).reshape(8, 8)
    target = Flaky(2)
    plan = rechunk(source, (8, 2), "1MB", target, executor=PythonExecutor(2))
    target.left.clear()
    np.testing.assert_array_equal(plan.execute()[...], source[...])
    assert plan.report is not None
    assert plan.report.traffic is not None
    assert plan.report.traffic.retries
    assert "retry 1 of 6 after ConnectionResetError" in caplog.text
