"""Uncached files: written once and read once, past the system's cache of their pages.

The system takes 1.5 CPU seconds to copy a gigabyte into fresh pages of its cache, and 0.1 to hand
it to the disk from where it lies (Linux 6.18, ext4). It is not asked to where it does not offer
this: on other systems, and on some filesystems. See ``O_DIRECT`` in open(2).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from rechunker.scratch import Scratch

if hasattr(os, "O_DIRECT"):  # Linux and FreeBSD
    import fcntl

__all__ = ["BLOCK", "read_parts", "set_uncached", "write_blocks"]

# What memory, positions and sizes must be multiples of, in bytes. Some filesystems want more, and
# say so with EINVAL.
BLOCK = 4096
# Bytes of a request: so few are soon over if the process is to stop.
_AT_ONCE = 1 << 23

_UNCACHED = getattr(os, "O_DIRECT", 0)


def set_uncached(descriptor: int, uncached: bool = True) -> bool:
    """Let reads and writes of an open file go past the cache, or not; return whether they do."""
    if not _UNCACHED:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, _UNCACHED if uncached else 0)
    except OSError:
        return False
    return uncached


def write_blocks(descriptor: int, data: memoryview) -> int:
    """Write whole blocks to an open file that is uncached; it is cached again afterwards.

    Parameters
    ----------
    descriptor
        The file, at a position that is a multiple of a block.
    data
        Bytes that begin at a multiple of a block in memory.

    Returns
    -------
    int
        Number of bytes written. The others are too few for a block, or the filesystem wants them
        in another way.
    """
    done, whole = 0, len(data) // BLOCK * BLOCK
    try:
        while done < whole and not done % BLOCK:
            done += os.write(descriptor, data[done : min(done + _AT_ONCE, whole)])
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    set_uncached(descriptor, False)
    return done


def read_parts(
    descriptor: int, start: int, sizes: Sequence[int], scratch: Scratch
) -> Iterator[npt.NDArray[np.uint8] | None]:
    """Yield parts of an open file that is uncached, each while the next one is read.

    Parameters
    ----------
    descriptor
        The file. It is cached again if the filesystem wants it to be.
    start
        First byte of the first part.
    sizes
        Numbers of bytes of the parts, one behind the other.
    scratch
        Memory for two parts, and the blocks that they begin and end in.

    Yields
    ------
    numpy.ndarray or None
        The bytes, valid only until the next ones are requested; None if the file ends before.
    """
    # A part may begin and end within a block. No more memory is held than all parts take.
    rooms = [-(-max(sizes[n::2], default=0) // BLOCK) * BLOCK + BLOCK for n in (0, 1)]
    memory = scratch.take_pages(sum(rooms))
    halves = (memory[: rooms[0]], memory[rooms[0] :])
    parts = list(zip(accumulate(sizes, initial=start), sizes, strict=False))

    def read(number: int) -> npt.NDArray[np.uint8] | None:
        return _read_blocks(descriptor, *parts[number], halves[number % 2])

    if len(parts) == 1:
        yield read(0)
        return
    with ThreadPoolExecutor(1) as thread:
        part = thread.submit(read, 0)
        for number in range(1, len(parts)):
            part, before = thread.submit(read, number), part
            yield before.result()
        yield part.result()


def _read_blocks(
    descriptor: int, start: int, size: int, memory: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8] | None:
    """Read the blocks around some bytes of a file into memory, and return these bytes."""
    first = start // BLOCK * BLOCK
    needed, rounded = start + size - first, -(-(start + size) // BLOCK) * BLOCK - first
    done, is_refused = 0, False
    while done < needed:
        try:
            count = os.preadv(descriptor, [memory[done:rounded].data], first + done)
        except OSError as error:
            if error.errno != errno.EINVAL or is_refused:
                raise
            set_uncached(descriptor, False)
            is_refused = True
            continue
        if not count:
            return None
        done += count
    return memory[start - first : needed]
