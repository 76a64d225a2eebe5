"""Files: whole files of a `zarr.storage.LocalStore`, read into memory that is used again.

What a LocalStore does, with half of its calls into the system and none of pathlib's: for chunks of
10 kB these take as long as all else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import FileIO

import numpy as np
import numpy.typing as npt
from zarr.storage import LocalStore

from rechunker.scratch import Scratch
from rechunker.stores.uncached import BLOCK, read_parts, set_uncached, write_blocks

__all__ = ["path_of", "read_file", "read_part", "read_pieces", "size_of_file", "write_file"]

Bytes = npt.NDArray[np.uint8]

_EVERYWHERE = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | _EVERYWHERE
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _EVERYWHERE
# What a LocalStore takes for a missing object.
_MISSING = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


def path_of(store: LocalStore, key: str) -> str:
    """Return the path of the file that holds the object at `key`."""
    return f"{store.root}{os.sep}{key}"


def read_file(path: str, scratch: Scratch) -> Bytes | None:
    """Return the content of a file; None if there is none, as for a folder."""
    try:
        descriptor = os.open(path, _READ)
        try:
            buffer = scratch.take(os.fstat(descriptor).st_size)
            _fill(descriptor, buffer, path)
            return buffer
        finally:
            os.close(descriptor)
    except _MISSING:
        return None


def read_part(path: str, start: int | None, size: int, scratch: Scratch) -> Bytes | None:
    """Return bytes of a file, fewer if it ends before; None if there is none, as for a folder.

    Parameters
    ----------
    path
        Where it is.
    start
        First byte; None for the last bytes of the file.
    size
        Number of bytes.
    scratch
        Memory for them.
    """
    try:
        descriptor = os.open(path, _READ)
        try:
            end = os.fstat(descriptor).st_size
            first = max(0, end - size) if start is None else min(start, end)
            buffer = scratch.take(min(size, end - first))
            os.lseek(descriptor, first, os.SEEK_SET)
            _fill(descriptor, buffer, path)
            return buffer
        finally:
            os.close(descriptor)
    except _MISSING:
        return None


def read_pieces(
    path: str, start: int, sizes: Sequence[int], scratch: Scratch, *, uncached: bool = False
) -> Iterator[Bytes]:
    """Yield the bytes of a file from `start` on, in pieces of these sizes.

    Each is valid only until the next one is requested. `uncached` says whether to go past the
    system's cache if the system can.
    """
    descriptor = os.open(path, _READ)
    try:
        if uncached and set_uncached(descriptor):
            for part in read_parts(descriptor, start, sizes, scratch):
                if part is None:
                    raise EOFError(f"{path} ends before byte {start + sum(sizes)}")
                yield part
            return
        os.lseek(descriptor, start, os.SEEK_SET)
        for size in sizes:
            piece = scratch.take(size)
            _fill(descriptor, piece, path)
            yield piece
    finally:
        os.close(descriptor)


def _fill(descriptor: int, buffer: Bytes, path: str) -> None:
    """Read until `buffer` is full; a single call may read less."""
    done = 0
    while done < buffer.size:
        count = _read_into(descriptor, buffer[done:])
        if not count:
            raise EOFError(f"{path} is {buffer.size - done} bytes too short")
        done += count


def _read_into(descriptor: int, buffer: Bytes) -> int:
    if hasattr(os, "readv"):
        return os.readv(descriptor, [buffer.data])
    with FileIO(descriptor, closefd=False) as file:  # Windows
        return file.readinto(buffer.data) or 0


def write_file(path: str, data: npt.NDArray[np.generic], *, uncached: bool = False) -> None:
    """Replace a file by one with other content, at once; folders around it are created.

    Parameters
    ----------
    path
        Where it is.
    data
        Its content: C-contiguous.
    uncached
        Whether to go past the system's cache, if `data` begins at a block and the system can.
    """
    # Named as a LocalStore does, so that what is left of it is found.
    partial = f"{path}.{os.urandom(16).hex()}.partial"
    try:
        descriptor = os.open(partial, _WRITE, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(partial, _WRITE, 0o666)
    try:
        try:
            _write(descriptor, data, uncached)
        finally:
            os.close(descriptor)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(partial)
        raise


def _write(descriptor: int, data: npt.NDArray[np.generic], uncached: bool) -> None:
    rest = data.reshape(-1).view(np.uint8).data
    if uncached and not data.ctypes.data % BLOCK and set_uncached(descriptor):
        rest = rest[write_blocks(descriptor, rest) :]
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def size_of_file(path: str) -> int | None:
    """Return the size of a file in bytes; None if there is none."""
    try:
        return os.stat(path).st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
