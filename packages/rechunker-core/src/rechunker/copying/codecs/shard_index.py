"""Shard indices: where the inner chunks of a shard lie, and the order in which they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt

from rechunker.metadata.document import Shape

__all__ = ["Ranges", "ShardIndex", "index_of"]

Bytes = npt.NDArray[np.uint8]

Ranges = npt.NDArray[np.uint64]
"""Offset and size in bytes of every inner chunk, in C order; both `_MISSING` if it is missing."""

_MISSING = 2**64 - 1
_ENTRY = 16
_CHECKSUM = 4
# Times an index that reading and writing it hold: as it is stored, offsets and sizes as integers,
# and the order of the inner chunks with what it is sorted by.
_HELD = 4
# What Zarr takes if the metadata have none.
_CODECS = ({"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"})


@dataclass(frozen=True)
class ShardIndex:
    """How the index of a shard is stored.

    Parameters
    ----------
    counts
        Number of inner chunks along every axis.
    dtype
        Dtype of offsets and sizes, with its byte order.
    has_checksum
        Whether a CRC-32C follows them.
    is_first
        Whether the index lies before the inner chunks, and not behind them.
    """

    counts: Shape
    dtype: np.dtype[Any]
    has_checksum: bool
    is_first: bool

    @property
    def entries(self) -> int:
        """Number of inner chunks."""
        return prod(self.counts)

    @property
    def nbytes(self) -> int:
        """Bytes of a stored index."""
        return _ENTRY * self.entries + _CHECKSUM * self.has_checksum

    @property
    def held_bytes(self) -> int:
        """Peak memory to read or to write an index."""
        return _HELD * self.nbytes

    def read(self, shard: Bytes) -> Ranges:
        """Return where the inner chunks of a shard lie, which is for each of them to be checked.

        Raises
        ------
        ValueError
            If the shard is too short for its index, or the index was damaged.
        """
        first = 0 if self.is_first else max(0, shard.size - self.nbytes)
        return self.parse(shard[first : first + self.nbytes])

    def parse(self, stored: Bytes) -> Ranges:
        """Return where the inner chunks lie, from a stored index: that many bytes of a shard.

        Raises
        ------
        ValueError
            If the shard has fewer bytes, or the index was damaged.
        """
        if stored.size < self.nbytes:
            raise ValueError(
                f"the shard has {stored.size} bytes, but its index takes {self.nbytes}"
            )
        table = stored[: _ENTRY * self.entries]
        if self.has_checksum and _checksum(table) != stored[table.size :].tobytes():
            raise ValueError("the index of the shard was damaged: its checksum is another one")
        return np.frombuffer(table, self.dtype).astype(np.uint64).reshape(-1, 2)

    def stored(self, ranges: Ranges) -> Bytes:
        """Return an index as it is stored."""
        table = ranges.astype(self.dtype).reshape(-1).view(np.uint8)
        if not self.has_checksum:
            return table
        return np.concatenate([table, np.frombuffer(_checksum(table), np.uint8)])

    def all_missing(self) -> Ranges:
        """Return the ranges of a shard without inner chunks."""
        return np.full((self.entries, 2), _MISSING, np.uint64)

    def are_missing(self, ranges: Ranges) -> npt.NDArray[np.bool_]:
        """Return which of some inner chunks are missing."""
        missing: npt.NDArray[np.bool_] = (ranges == _MISSING).all(axis=1)
        return missing

    def part(self, ranges: Ranges, number: int, shard: Bytes) -> Bytes | None:
        """Return the bytes of an inner chunk, without a copy; None if it is missing.

        Parameters
        ----------
        ranges
            Where the inner chunks lie.
        number
            Number of the inner chunk in C order.
        shard
            The shard.

        Raises
        ------
        ValueError
            If the shard does not hold it.
        """
        offset, size = map(int, ranges[number])
        if offset == size == _MISSING:
            return None
        if offset + size > shard.size:
            raise ValueError(
                f"the index says that it takes {size} bytes from byte {offset} on, but the shard "
                f"has {shard.size} bytes"
            )
        return shard[offset : offset + size]

    def order(self) -> npt.NDArray[np.intp]:
        """Return the numbers of the inner chunks in the order in which they are written."""
        return _morton_order(self.counts)


def index_of(configuration: Mapping[str, Any], counts: Shape) -> ShardIndex | None:
    """Return the index of the shards of an array; None if only Zarr can read it.

    Parameters
    ----------
    configuration
        Configuration of the codec "sharding_indexed".
    counts
        Number of inner chunks along every axis.
    """
    codecs = list(configuration.get("index_codecs", _CODECS))
    names = [codec["name"] for codec in codecs]
    if names not in (["bytes"], ["bytes", "crc32c"]):
        return None
    endian = (codecs[0].get("configuration") or {}).get("endian")
    location = configuration.get("index_location", "end")
    if endian not in ("little", "big") or location not in ("start", "end"):
        return None
    dtype = np.dtype(">u8" if endian == "big" else "<u8")
    return ShardIndex(counts, dtype, len(names) == 2, location == "start")


def _checksum(table: Bytes) -> bytes:
    # CRC-32C (RFC 3720, appendix B.4), as the codec "crc32c" of Zarr stores it.
    return int(google_crc32c.value(table)).to_bytes(_CHECKSUM, "little")


@lru_cache(maxsize=4)
def _morton_order(counts: Shape) -> npt.NDArray[np.intp]:
    """Return the numbers, in C order, of grid positions sorted by their Morton codes.

    The bits of the positions take turns, from the lowest and from the first axis on; an axis has as
    many bits as its last position. The specification of shards leaves the order open: this is the
    one in which Zarr writes (3.1.6 to 3.4.2).
    """
    bits = [(count - 1).bit_length() for count in counts]
    codes = np.zeros(counts, np.int64)
    place = 0
    for bit in range(max(bits, default=0)):
        for axis, count in enumerate(counts):
            if bit < bits[axis]:
                shape = [count if other == axis else 1 for other in range(len(counts))]
                codes |= ((np.arange(count) >> bit & 1) << place).reshape(shape)
                place += 1
    return np.argsort(codes, axis=None)
