"""Checksums: what proves that the bytes of a temporary object are those of the cell wanted."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import cast

import google_crc32c
import numpy as np
import numpy.typing as npt

__all__ = ["CHECKSUM_BYTES", "ChecksumError", "Checksums"]

# CRC-32C (Castagnoli; RFC 3720, appendix B.4), in a field of 8 bytes that keeps cells aligned.
# zarr brings google-crc32c, which computes it with the processor's own instruction.
CHECKSUM_BYTES = 8
_FIELD = struct.Struct("<Q")
# Bytes from which on it is worth while to let other threads run Python in the meantime.
_LARGE = 1 << 18

Bytes = npt.NDArray[np.uint8]


class ChecksumError(ValueError):
    """The bytes of a temporary object are not those that were written for a cell."""


def _function_of_library() -> Callable[[int, int, int], int] | None:
    """Return ``crc32c_extend`` of the library behind google-crc32c, whose own keeps others waiting.

    No thread runs Python while a call of `google_crc32c.extend` lasts (google-crc32c 1.9.0). The
    function is part of the library's interface for C (``crc32c/crc32c.h``). It is found by way of
    the extension module, except on Windows and where the package is Python alone.
    """
    try:
        found = ctypes.CDLL(import_module("google_crc32c._crc32c").__file__).crc32c_extend
    except (AttributeError, ImportError, OSError, TypeError):
        return None
    found.argtypes = (ctypes.c_uint32, ctypes.c_void_p, ctypes.c_size_t)
    found.restype = ctypes.c_uint32
    return cast("Callable[[int, int, int], int]", found)


_unlocked = _function_of_library()


@dataclass(frozen=True)
class Checksums:
    """Checksums of the cells of one stage, each of which also stands for what the cell is.

    Parameters
    ----------
    identity
        Text that names the plan and the stage.
    """

    identity: str

    @cached_property
    def _seed(self) -> int:
        return int(google_crc32c.value(self.identity.encode()))

    def start(self, task: int, position: int) -> int:
        """Return the checksum of a cell before its first byte.

        Parameters
        ----------
        task
            The task that writes the cell.
        position
            Number of cells before it in the object.
        """
        return int(google_crc32c.extend(self._seed, struct.pack("<QQ", task, position)))

    def extend(self, checksum: int, part: Bytes) -> int:
        """Return the checksum after some more bytes of the cell, which are contiguous."""
        if part.size >= _LARGE and _unlocked is not None and part.flags.c_contiguous:
            return _unlocked(checksum, part.ctypes.data, part.size)
        return int(google_crc32c.extend(checksum, part))

    def field(self, checksum: int) -> bytes:
        """Return the bytes that are stored behind a cell."""
        return _FIELD.pack(checksum)

    def check(self, checksum: int, field: bytes) -> None:
        """Check what is stored behind a cell.

        Raises
        ------
        ChecksumError
            If it is not the checksum of these bytes, for this cell of this plan.
        """
        if self.field(checksum) != field:
            raise ChecksumError(
                "its bytes are not those that were written for this cell: the object was damaged, "
                "replaced or cut in the temp store; call execute() again"
            )
