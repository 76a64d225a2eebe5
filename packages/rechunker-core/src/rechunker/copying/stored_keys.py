"""Stored keys: which objects of an array are there."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["StoredKeys"]


@dataclass(frozen=True)
class StoredKeys:
    """Which objects of an array are stored; small, as it travels to every worker.

    Parameters
    ----------
    count
        Number of those that are.
    bits
        A bit for each object in C order, packed and compressed; empty if all are stored.
    """

    count: int
    bits: bytes = b""

    @classmethod
    def of(cls, stored: npt.NDArray[np.bool_]) -> StoredKeys:
        """Return them from an array with one element per object."""
        packed = b"" if stored.all() else zlib.compress(np.packbits(stored).tobytes())
        return cls(int(stored.sum()), packed)

    @property
    def are_all(self) -> bool:
        """Whether no object is missing."""
        return not self.bits

    def contain(self, position: int) -> bool:
        """Return whether an object is stored.

        Parameters
        ----------
        position
            Number of the object in C order.
        """
        if self.are_all:
            return True
        return bool(_unpacked(self.bits)[position // 8] >> (7 - position % 8) & 1)

    def __str__(self) -> str:
        if self.are_all:
            return f"all {self.count:,}"
        return f"{self.count:,} ({hashlib.sha256(self.bits).hexdigest()[:8]})"


@lru_cache(maxsize=64)
def _unpacked(bits: bytes) -> bytes:
    return zlib.decompress(bits)
