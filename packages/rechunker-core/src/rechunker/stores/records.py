"""Records: the tasks that a batch has done, written down in one small object while it runs."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from io import FileIO
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from zarr.buffer import cpu
from zarr.storage import LocalStore, StorePath

from rechunker.stores import access, files
from rechunker.stores.holders import boot_id

__all__ = ["RECORD", "Log", "Records", "may_tell_of", "parse_log"]

# What a record says: the task, the objects that it stored and their bytes, a sum over the values
# that it has read, and a checksum of all these.
_FIELDS = ("task", "nbytes", "sum", "objects")
RECORD = np.dtype([*((name, "<u8") for name in _FIELDS[:3]), ("objects", "<u4"), ("check", "<u4")])
Records = npt.NDArray[np.void]

_TITLE = b"rechunker journal 1 "
# Records in one object of a store that cannot append to it, which is written anew with each record.
_MOST = 1000
# Such an object is written so seldom that it takes a fiftieth of the time.
_SHARE = 50
# Odd numbers of 64 bits; a checksum is the upper half of a sum of products (multilinear hashing:
# D. Lemire, O. Kaser, Strongly universal string hashing is fast, Computer Journal 57, 2014).
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63)


class Log:
    """The records of one batch.

    A local file gets each record as soon as its task is done. Other stores get them together, from
    time to time, and when the batch ends.

    Parameters
    ----------
    folder
        Where logs lie.
    tasks
        Tasks of the batch; the first and the last are part of the name.
    """

    def __init__(self, folder: StorePath, tasks: range):
        self._folder = folder
        self._tasks = tasks
        self._records: list[bytes] = []
        self._place = folder
        self._file: FileIO | None = None
        self._pause = 0.0
        self._written = -np.inf
        self._is_complete = True

    def append(self, task: int, objects: int, nbytes: int, total: int = 0) -> None:
        """Write down that a task is done, what it has stored, and the sum of what it has read."""
        record = np.zeros(1, RECORD)
        record["task"], record["objects"], record["nbytes"] = task, objects, nbytes
        record["sum"] = total
        record["check"] = _checksums(record)
        if type(self._folder.store) is LocalStore:
            self._append_to_file(record.tobytes(), self._folder.store)
            return
        if not self._records:
            self._place = self._folder / self._name()
        self._records.append(record.tobytes())
        self._is_complete = False
        if time.monotonic() - self._written >= self._pause or len(self._records) == _MOST:
            self._write()

    def _append_to_file(self, record: bytes, store: LocalStore) -> None:
        if self._file is None:
            folder = files.path_of(store, self._folder.path)
            os.makedirs(folder, exist_ok=True)
            path = f"{folder}{os.sep}{self._name()}"
            self._file = open(path, "xb", buffering=0)  # noqa: SIM115 - closed by `close`
            record = _title() + record
        self._file.write(record)

    def _name(self) -> str:
        return f"{self._tasks[0]}-{self._tasks[-1]}-{uuid4().hex[:12]}"

    def _write(self) -> None:
        begin = time.monotonic()
        content = _title() + b"".join(self._records)
        access.put(self._place.store, self._place.path, cpu.Buffer.from_bytes(content))
        self._written = time.monotonic()
        self._pause = _SHARE * (self._written - begin)
        self._is_complete = True
        if len(self._records) >= _MOST:
            self._records = []

    def close(self) -> None:
        """Write what is not written yet."""
        if self._file is not None:
            self._file.close()
        if not self._is_complete:
            self._write()


def _title() -> bytes:
    return _TITLE + boot_id().encode() + b"\n"


def may_tell_of(name: str, tasks: range) -> bool:
    """Return whether the log with a name may have records of some tasks, one after the other."""
    first, last, *_ = name.split("-")
    is_known = first.isdecimal() and last.isdecimal()
    return bool(tasks) and (not is_known or (int(first) <= tasks[-1] and int(last) >= tasks[0]))


def parse_log(content: bytes) -> tuple[str, Records]:
    """Return the boot in which a log was written, and its records; damaged ones are left out."""
    title, _, rest = content.partition(b"\n")
    if not title.startswith(_TITLE):
        return "", np.zeros(0, RECORD)
    whole = rest[: len(rest) // RECORD.itemsize * RECORD.itemsize]
    records = np.frombuffer(whole, RECORD)
    boot = title[len(_TITLE) :].decode(errors="replace")
    return boot, records[records["check"] == _checksums(records)]


def without(content: bytes, tasks: Sequence[int]) -> bytes:
    """Return a log without the records of some tasks."""
    title, _, _ = content.partition(b"\n")
    _, records = parse_log(content)
    return title + b"\n" + records[~np.isin(records["task"], tasks)].tobytes()


def _checksums(records: Records) -> npt.NDArray[Any]:
    fields = [records[name].astype(np.uint64) for name in _FIELDS]
    products = [field * np.uint64(factor) for field, factor in zip(fields, _FACTORS, strict=True)]
    total = sum(products, np.full(records.shape, _FACTORS[0], np.uint64))
    return (total >> np.uint64(32)).astype(np.uint32)
