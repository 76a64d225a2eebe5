"""Checksums: what proves that the bytes of a temporary object are those of the cell wanted."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

import google_crc32c
import numpy as np
import numpy.typing as npt

__all__ = ["CHECKSUM_BYTES", "ChecksumError", "Checksums"]

# CRC-32C (Castagnoli; RFC 3720, appendix B.4), in a field of 8 bytes that keeps cells aligned.
# zarr brings google-crc32c, which computes it with the processor's own instruction.
CHECKSUM_BYTES = 8
_FIELD = struct.Struct("<Q")

Bytes = npt.NDArray[np.uint8]


class ChecksumError(ValueError):
    """The bytes of a temporary object are not those that were written for a cell."""


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
        """Return the checksum after some more bytes of the cell."""
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
