"""What a source of any kind becomes: requests of arrays, and the groups around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

from zarr.storage import StorePath

from rechunker.copying import Reader, ShardReader
from rechunker.metadata import Document
from rechunker.planning import Grid

__all__ = ["ArrayRequest", "Hierarchy", "SourceArray"]


@dataclass(frozen=True)
class SourceArray:
    """What the planner and the tasks need to know about an array that is read.

    Parameters
    ----------
    reader
        Reader of the units; it is sent to the workers.
    shape
        Shape of the array.
    itemsize
        Bytes of one decoded element; an estimate for elements of variable length.
    grid
        Grid of the units.
    read_bytes
        Peak memory to read one unit, in bytes.
    unit_bytes
        Bytes of a decoded unit; None if a unit is not decoded at once.
    stored_ratio
        Stored bytes per decoded byte; 1.0 if unknown.
    shards
        Reads parts of the units; None if they can only be read whole.
    """

    reader: Reader
    shape: tuple[int, ...]
    itemsize: int
    grid: Grid
    read_bytes: int
    unit_bytes: int | None
    stored_ratio: float = 1.0
    shards: ShardReader | None = None

    @property
    def nbytes(self) -> int:
        """Decoded bytes of the array; an estimate for elements of variable length."""
        return prod(self.shape) * self.itemsize

    def in_parts(self, reader: ShardReader) -> SourceArray:
        """Return the source as it is if the chunks of its shards are read one by one."""
        return replace(
            self, reader=reader, grid=reader.inner, read_bytes=reader.read_bytes, unit_bytes=None
        )


@dataclass(frozen=True)
class ArrayRequest:
    """Request to write one array of the target.

    Parameters
    ----------
    name
        Path of the array within the target; "" if the target itself is an array.
    source
        Array to read.
    document
        Metadata of the target array.
    write_empty
        Whether to write chunks that hold nothing but the fill value.
    """

    name: str
    source: SourceArray
    document: Document
    write_empty: bool = False


@dataclass(frozen=True)
class Hierarchy:
    """All arrays and groups of a target.

    Parameters
    ----------
    arrays
        Requests of the arrays; a single one with the name "" if the target is an array.
    groups
        Documents of the groups by path; "" is the root. None if the target is an array. A
        document has a "zarr_format" and "attributes", and perhaps keys of other programs.
    zarr_format
        Zarr format of all arrays and groups.
    overwrite
        Paths of arrays and groups that may be replaced; "" stands for the whole target.
    consolidated
        Whether to write consolidated metadata.
    origins
        Places of the Zarr arrays, groups and local files that are read.
    plain_temp
        Whether to ignore the options of temporary objects and store their elements as they are.
    left_out
        Paths of arrays of the source that are not copied.
    """

    arrays: tuple[ArrayRequest, ...]
    groups: Mapping[str, Document] | None
    zarr_format: Literal[2, 3]
    overwrite: frozenset[str] = frozenset()
    consolidated: bool = False
    origins: tuple[StorePath, ...] = ()
    plain_temp: bool = False
    left_out: tuple[str, ...] = ()
