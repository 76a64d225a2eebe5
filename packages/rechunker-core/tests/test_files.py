"""Files of a LocalStore are read and written as a LocalStore does it."""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from zarr.abc.store import Store
from zarr.buffer import cpu
from zarr.storage import LocalStore

from rechunker.scratch import Scratch
from rechunker.stores import access, files

KEYS = ("zarr.json", "c/0/0", "0.1", "deep/er/c/10/2", "c.0")
CONTENTS = (b"", b"1", os.urandom(5000), os.urandom(1 << 20))


def put(store: LocalStore, key: str, content: bytes) -> None:
    access.put(store, key, cpu.Buffer.from_bytes(content))


def test_what_is_written_is_what_zarr_reads(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for key in KEYS:
        for content in CONTENTS:
            put(store, key, content)
            found = store.get_sync(key)
            assert found is not None
            assert found.to_bytes() == content
            fetched = access.fetch(store, key, Scratch())
            assert fetched is not None
            assert fetched.tobytes() == content
            assert access.sizes(store, [key]) == [len(content)]
    found_files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(found_files) == len(KEYS)


@pytest.mark.parametrize("key", ["none", "c/none", "c", "file/below"])
def test_what_is_missing_for_zarr_is_missing(key: str, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    put(store, "c/0", b"1")
    put(store, "file", b"1")
    assert store.get_sync(key) is None
    assert access.fetch(store, key, Scratch()) is None


def test_pieces_are_read_one_after_the_other(tmp_path: Path) -> None:
    content = os.urandom(1000)
    put(LocalStore(tmp_path), "a", content)
    pieces = files.read_pieces(str(tmp_path / "a"), 10, [5, 0, 100], Scratch())
    assert [piece.tobytes() for piece in pieces] == [content[10:15], b"", content[15:115]]
    with pytest.raises(EOFError, match="a is 15 bytes too short"):
        list(files.read_pieces(str(tmp_path / "a"), 990, [5, 20], Scratch()))
    with pytest.raises(FileNotFoundError):
        list(files.read_pieces(str(tmp_path / "b"), 0, [5], Scratch()))


def test_a_store_that_is_read_only_raises_what_zarr_raises(tmp_path: Path) -> None:
    put(LocalStore(tmp_path), "a", b"old")
    with pytest.raises(ValueError, match="read-only"):
        put(LocalStore(tmp_path, read_only=True), "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path)
    put(store, "c/0", b"old")
    for name in ("write", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, full)
            with pytest.raises(OSError, match="No space left"):
                put(store, "c/0", b"new")
        assert [path.name for path in (tmp_path / "c").iterdir()] == ["0"]
        assert (tmp_path / "c" / "0").read_bytes() == b"old"


def full(*_: Any) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_file_that_is_in_the_way_is_an_error(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    put(store, "c", b"a file")
    for write in (put, lambda s, k, v: s.set_sync(k, cpu.Buffer.from_bytes(v))):
        with pytest.raises(OSError, match="c"):
            write(store, "c/0", b"1")


def test_writes_that_are_short_are_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    put(LocalStore(tmp_path), "a", b"0123456789" * 10)
    assert (tmp_path / "a").read_bytes() == b"0123456789" * 10


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    """Two threads write different contents of one size, and a third reads."""
    store, contents = LocalStore(tmp_path), [bytes([n]) * (1 << 20) for n in (1, 2)]
    put(store, "c/0", contents[0])
    stop = threading.Event()

    def write(content: bytes) -> None:
        while not stop.is_set():
            put(store, "c/0", content)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    try:
        for _ in range(50):
            found = access.fetch(store, "c/0", Scratch())
            assert found is not None
            assert found.tobytes() in contents
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_modes_of_files_are_those_of_zarr(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    put(store, "a", b"1")
    store.set_sync("b", cpu.Buffer.from_bytes(b"1"))
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_chunk_takes_few_calls_into_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()

    def count(name: str) -> None:
        call = getattr(os, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            calls[name] += 1
            return call(*args, **kwargs)

        monkeypatch.setattr(os, name, counted)

    store = LocalStore(tmp_path)
    for name in ("open", "close", "fstat", "stat", "lstat", "mkdir", "readv", "write", "replace"):
        count(name)
    for number in range(10):
        access.put(store, f"c/0/{number}", cpu.Buffer.from_bytes(b"chunk"))
    # The first file finds that there is no folder.
    assert (calls.pop("open"), calls.pop("mkdir")) == (11, 2)
    del calls["stat"]  # of folders, when they are made
    assert calls == {"write": 10, "close": 10, "replace": 10}
    calls.clear()
    for number in range(10):
        assert access.fetch(store, f"c/0/{number}", Scratch()) is not None
    assert calls == {"open": 10, "fstat": 10, "readv": 10, "close": 10}


@pytest.mark.parametrize("delete", [access.delete, access.delete_dir])
@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTEMPTY])
def test_a_folder_is_deleted_while_others_work_in_it(
    number: int,
    delete: Callable[[Store, str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors = [OSError(number, os.strerror(number))]

    class Busy(LocalStore):
        async def delete_dir(self, prefix: str) -> None:
            if errors:
                raise errors.pop()
            await super().delete_dir(prefix)

        async def delete(self, key: str) -> None:  # a folder that another worker has made again
            if errors:
                raise errors.pop()
            await super().delete(key)

    put(LocalStore(tmp_path), "c/0", b"1")
    delete(Busy(tmp_path), "c")
    assert not (tmp_path / "c").exists()
    errors.append(PermissionError(errno.EACCES, "no"))
    with pytest.raises(PermissionError):
        delete(Busy(tmp_path), "c")
    # Something is wrong with the folder itself.
    monkeypatch.setattr(access, "_PAUSE", 0)
    errors += [OSError(number, os.strerror(number))] * 1000
    with pytest.raises(OSError, match=os.strerror(number)):
        delete(Busy(tmp_path), "c")
    assert errors
