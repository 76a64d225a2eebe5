"""Checksums of cells: the library's own, whichever way it is called."""

from __future__ import annotations

import threading
import time

import google_crc32c
import numpy as np
import pytest

from rechunker.copying import checksums
from rechunker.copying.checksums import Checksums

CELL = np.random.default_rng(0).integers(0, 256, 3 << 20, np.uint8)


@pytest.mark.parametrize("first", [0, 1, 7, 4096])
@pytest.mark.parametrize("size", [0, 1, 1 << 18, (1 << 18) - 1, (2 << 20) + 3])
def test_checksums_are_crc32c(first: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    part, sums = CELL[first : first + size], Checksums("a")
    wanted = google_crc32c.extend(sums.start(3, 4), part.tobytes())
    assert sums.extend(sums.start(3, 4), part) == wanted
    half = sums.extend(sums.start(3, 4), part[: size // 2])
    assert sums.extend(half, part[size // 2 :]) == wanted
    # Where the library cannot be called in this way.
    monkeypatch.setattr(checksums, "_unlocked", None)
    assert sums.extend(sums.start(3, 4), part) == wanted


def test_the_first_checksum_of_rfc_3720() -> None:
    assert checksums._unlocked is not None  # google-crc32c 1.9.0 on Linux and macOS
    zeros = np.zeros(32, np.uint8)
    assert checksums._unlocked(0, zeros.ctypes.data, zeros.size) == 0x8A9136AA


def test_other_threads_run_while_a_large_cell_is_added_up() -> None:
    cell, ran, ended = np.zeros(1 << 30, np.uint8), [0], threading.Event()

    def count() -> None:
        while not ended.is_set():
            ran[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        before = ran[0]
        Checksums("a").extend(0, cell)
        during = ran[0] - before
    finally:
        ended.set()
        thread.join()
    assert during > 2
