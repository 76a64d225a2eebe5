"""What every kind of source tells about an array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from zarr.storage import StorePath

from rechunker.copying import Reader
from rechunker.metadata import Document
from rechunker.planning import Grid

__all__ = ["ArrayRequest", "Hierarchy", "SourceArray"]


@dataclass(frozen=True)
class SourceArray:
    """An array to read from.

    Parameters
    ----------
    reader
        Reads its units; travels to the workers.
    shape
        Elements along every axis.
    itemsize
        Bytes of one decoded element.
    grid
        Units that can only be read as a whole.
    read_bytes
        What reading one unit holds, in bytes.
    unit_bytes
        What a decoded unit takes, in bytes; None where it is not decoded at once.
    stored_ratio
        Stored bytes per decoded byte, as far as is known.
    """

    reader: Reader
    shape: tuple[int, ...]
    itemsize: int
    grid: Grid
    read_bytes: int
    unit_bytes: int | None
    stored_ratio: float = 1.0


@dataclass(frozen=True)
class ArrayRequest:
    """One array of the target.

    Parameters
    ----------
    name
        Path within the target, "" if the target is an array.
    source
        What is read.
    document
        Metadata of the target array.
    write_empty
        Whether chunks that hold nothing but the fill value are stored.
    """

    name: str
    source: SourceArray
    document: Document
    write_empty: bool = False


@dataclass(frozen=True)
class Hierarchy:
    """All that a source becomes.

    Parameters
    ----------
    arrays
        The arrays; one of name "" if the target is an array.
    groups
        Attributes of the groups, by path; "" is the root. None if the target is an array.
    zarr_format
        Of all nodes.
    overwrite
        Paths of nodes that may be replaced; "" is the whole target.
    consolidated
        Whether metadata are consolidated.
    origins
        Places of the Zarr arrays, or of the group, that are read.
    plain_temp
        Whether elements of temporary objects are stored as they are, whatever the options.
    """

    arrays: tuple[ArrayRequest, ...]
    groups: Mapping[str, Mapping[str, Any]] | None
    zarr_format: Literal[2, 3]
    overwrite: frozenset[str] = frozenset()
    consolidated: bool = False
    origins: tuple[StorePath, ...] = ()
    plain_temp: bool = False
