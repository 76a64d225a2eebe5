"""Temporary objects go past the system's cache if it can do that, and through it if not."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

import rechunker
from rechunker.copying import temp_objects
from rechunker.executors.python import PythonExecutor
from rechunker.scratch import Scratch
from rechunker.stores import files, uncached

BLOCK = uncached.BLOCK
# A filesystem in memory takes the same calls in another way.
FOLDERS = [path for path in (None, "/dev/shm") if path is None or os.access(path, os.W_OK)]


@pytest.fixture(params=FOLDERS, ids=str)
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    with TemporaryDirectory(dir=request.param) as name:
        yield Path(name)


def pages(content: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return bytes in memory that begins at a page."""
    memory = Scratch().take_pages(len(content))
    memory[:] = np.frombuffer(content, np.uint8)
    return memory


def read(path: Path, start: int, sizes: list[int]) -> bytes:
    pieces = files.read_pieces(str(path), start, sizes, Scratch(), uncached=True)
    return b"".join(piece.tobytes() for piece in pieces)


sizes_near_blocks = st.one_of(
    st.integers(0, 3 * BLOCK),
    st.builds(lambda n, d: max(0, n * BLOCK + d), st.integers(0, 4), st.integers(-2, 2)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(sizes_near_blocks, min_size=1, max_size=5), sizes_near_blocks, sizes_near_blocks)
def test_files_hold_what_was_written_and_every_part_of_them_is_read(
    sizes: list[int], before: int, after: int
) -> None:
    content = np.random.default_rng(before).bytes(before + sum(sizes) + after)
    with TemporaryDirectory() as name:
        path = Path(name, "a")
        files.write_file(str(path), pages(content), uncached=True)
        assert path.read_bytes() == content
        assert os.listdir(name) == ["a"]
        assert read(path, before, sizes) == content[before : before + sum(sizes)]
        with pytest.raises(EOFError, match="a ends before byte"):
            read(path, before, [*sizes, after + 1])


@pytest.mark.parametrize("offset", [0, 1, BLOCK - 1])
def test_memory_and_files_of_any_position_and_size(offset: int, folder: Path) -> None:
    content = os.urandom(5 * BLOCK + 17)
    memory = pages(bytes(offset) + content)[offset:]
    files.write_file(str(folder / "new" / "a"), memory, uncached=True)
    assert (folder / "new" / "a").read_bytes() == content
    bounds = [0, 1, BLOCK, BLOCK + 1, 4 * BLOCK, len(content)]
    sizes = [stop - start for start, stop in pairwise(bounds)]
    for start, number in zip(accumulate([0, *sizes]), range(len(sizes)), strict=False):
        assert read(folder / "new" / "a", start, sizes[number:]) == content[start:]
    with pytest.raises(FileNotFoundError):
        read(folder / "b", 0, [1])


def refusing(function: Callable[..., Any], number: int) -> Callable[..., Any]:
    """Return a function that refuses the call of this number, and all later ones like it."""
    calls = iter(range(10**6))

    def call(*arguments: Any) -> Any:
        if next(calls) == number:
            raise OSError(errno.EINVAL, "Invalid argument")
        return function(*arguments)

    return call


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_filesystem_that_refuses_is_used_as_it_wants(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may refuse the file, or a request that begins or ends elsewhere than it wants."""
    monkeypatch.setattr(uncached, "_AT_ONCE", 2 * BLOCK)
    content = os.urandom(9 * BLOCK + 5)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", refusing(os.write, number))
        files.write_file(str(tmp_path / "a"), pages(content), uncached=True)
    assert (tmp_path / "a").read_bytes() == content
    with monkeypatch.context() as patched:
        patched.setattr(os, "preadv", refusing(os.preadv, number))
        assert read(tmp_path / "a", 5, [BLOCK, 2 * BLOCK, 6 * BLOCK]) == content[5:]
    with monkeypatch.context() as patched:
        patched.setattr(uncached, "set_uncached", lambda *_: False)
        patched.setattr(files, "set_uncached", lambda *_: False)
        files.write_file(str(tmp_path / "b"), pages(content), uncached=True)
        assert read(tmp_path / "b", 7, [BLOCK]) == content[7 : BLOCK + 7]


@pytest.mark.parametrize("most", [7, BLOCK, BLOCK + 1])
def test_requests_that_are_answered_in_part_are_continued(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, preadv = os.write, os.preadv
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:most]))
    monkeypatch.setattr(
        os, "preadv", lambda file, buffers, at: preadv(file, [buffers[0][:most]], at)
    )
    content = os.urandom(2 * BLOCK + 5)
    files.write_file(str(tmp_path / "a"), pages(content), uncached=True)
    assert (tmp_path / "a").read_bytes() == content
    assert read(tmp_path / "a", 0, [len(content)]) == content


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_is_an_error_and_the_old_file_stays(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    (tmp_path / "a").write_bytes(b"old")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fail)
        with pytest.raises(OSError, match=os.strerror(number)):
            files.write_file(str(tmp_path / "a"), pages(bytes(BLOCK)), uncached=True)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        read(tmp_path / "a", 0, [3])


def test_no_process_that_is_forked_shares_the_memory() -> None:
    """Else the system may read a file into pages that only the forked process sees (open(2))."""
    memory = Scratch().take_pages(1 << 20)
    address, flags = memory.ctypes.data, ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        bounds = line.split(" ")[0].split("-")
        if len(bounds) == 2:
            is_here = int(bounds[0], 16) <= address < int(bounds[1], 16)
        elif line.startswith("VmFlags:") and is_here:
            flags = line
    assert "dc" in flags.split()  # proc_pid_smaps(5): do not copy area on fork


@pytest.mark.parametrize(("cell", "expected"), [(1 << 16, True), ((1 << 16) + 1, False)])
def test_temporary_objects_are_uncached_if_their_cells_are_large(
    cell: int, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4 tasks write 4 cells of 64 KiB each."""
    asked: list[bool] = []

    def set_uncached(*arguments: Any) -> bool:
        asked.append(True)
        return uncached.set_uncached(*arguments)

    monkeypatch.setattr(temp_objects, "_UNCACHED_CELL", cell)
    monkeypatch.setattr(files, "set_uncached", set_uncached)
    source = zarr.create_array(tmp_path / "s", shape=(512, 512), chunks=(128, 512), dtype="f4")
    source[...] = np.arange(512 * 512, dtype="f4").reshape(512, 512)
    planned = rechunker.rechunk(
        source,
        (512, 128),
        700_000,
        tmp_path / "t",
        temp_store=tmp_path / "x",
        executor=PythonExecutor(1),
    )
    assert planned.copy_plan[""].hops == 1
    assert np.array_equal(planned.execute(verify=True)[...], source[...])
    assert len(asked) == (expected and 4 + 16)


def test_arrays_are_copied_exactly_whatever_the_sizes_of_cells() -> None:
    hops = []

    @settings(max_examples=30, deadline=None)
    @given(
        st.tuples(*[st.integers(150, 400)] * 2),
        st.sampled_from(["u1", "i2", "f4", "f8"]),
        st.integers(3, 6),
    )
    def check(shape: tuple[int, int], dtype: str, parts: int) -> None:
        values = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
        with TemporaryDirectory() as name:
            source = zarr.create_array(f"{name}/s", data=values, chunks=(3, shape[1]))
            planned = rechunker.rechunk(
                source,
                (shape[0], 2),
                30_000 + values.nbytes // parts,
                f"{name}/t",
                temp_store=f"{name}/x",
            )
            hops.append(planned.copy_plan[""].hops)
            assert np.array_equal(planned.execute()[...], values)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(temp_objects, "_UNCACHED_CELL", 1)
        check()
    assert sum(map(bool, hops)) >= 10
