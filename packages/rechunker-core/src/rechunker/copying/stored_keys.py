"""Stored keys: which objects of an array are there."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod

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
    digest
        Digest of which they are; empty if all are stored.
    bits
        A bit for each object in C order, packed and compressed; empty if all are stored.
    """

    count: int
    digest: str = ""
    bits: bytes = field(default=b"", compare=False)  # compressors differ

    @classmethod
    def of(cls, stored: npt.NDArray[np.bool_]) -> StoredKeys:
        """Return them from an array with one element per object."""
        count, bits = int(stored.sum()), np.packbits(stored).tobytes()
        if count == stored.size:
            return cls(count)
        return cls(count, hashlib.sha256(bits).hexdigest()[:16], zlib.compress(bits))

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
        return self.are_all or bool(_unpacked(self.bits)[position])

    def in_grid(self, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Return which objects are stored.

        Parameters
        ----------
        shape
            Number of objects along every axis; at least one of them is missing.
        """
        return _unpacked(self.bits)[: prod(shape)].reshape(shape).view(np.bool_)

    def __str__(self) -> str:
        if self.are_all:
            return f"all {self.count:,}"
        return f"{self.count:,} ({self.digest[:8]})"


@lru_cache(maxsize=8)
def _unpacked(bits: bytes) -> npt.NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(zlib.decompress(bits), np.uint8))
