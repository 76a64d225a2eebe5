"""Options of an array in `target_options` and `temp_options`: their names and simple values."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from rechunker.metadata.wording import did_you_mean, warn_user

__all__ = ["ArrayOptions", "UnusedOptionWarning", "parse_options"]

ZarrFormat = Literal[2, 3]

# Options that `target_document` turns into metadata of the target.
ENCODING = (
    "attributes",
    "chunk_key_encoding",
    "compressors",
    "dimension_names",
    "dimension_separator",
    "fill_value",
    "filters",
    "order",
    "serializer",
    "shards",
)
ALIASES = {"compressor": "compressors"}
UNUSED = ("cache_attrs", "cache_metadata")
ALLOWED = tuple(
    sorted({*ENCODING, *ALIASES, *UNUSED, "overwrite", "write_empty_chunks", "zarr_format"})
)
REFUSED = {
    "chunks": "the chunks of the target are given by target_chunks",
    "shape": "the target has the shape of the source",
    "dtype": "the target has the dtype of the source",
    "data": "the target has the data of the source",
    "store": "the store is given by target_store or temp_store",
    "path": "the path belongs to the store; for an array in a group use array_name",
    "name": "the path belongs to the store; for an array in a group use array_name",
    "storage_options": "give rechunk(..., storage_options=...)",
    "config": "give write_empty_chunks as an option; no other runtime setting is supported",
    "zarr_version": "use zarr_format",
}


class UnusedOptionWarning(UserWarning):
    """An option has no effect in Zarr-Python 3 and is ignored."""


@dataclass(frozen=True)
class ArrayOptions:
    """Options of how one array is stored; everything else is as in the source.

    Parameters
    ----------
    zarr_format
        Zarr format of the target; None for that of the source.
    overwrite
        Whether to replace an array or group that exists at the target.
    write_empty_chunks
        Whether to write chunks that hold nothing but the fill value. None writes the chunks that
        exist in the source, and leaves out those that are missing there.
    named
        All other options by name; ``compressor`` is renamed to ``compressors``.
    where
        Name of the options in error messages.
    limit
        Bytes of a stored object that fit in memory; chunks and shards with "auto" sizes, and
        shards that are kept, have no more.
    """

    zarr_format: ZarrFormat | None = None
    overwrite: bool = False
    write_empty_chunks: bool | None = None
    named: Mapping[str, Any] = field(default_factory=dict)
    where: str = "target_options"
    limit: int = sys.maxsize

    def in_group(self, zarr_format: ZarrFormat | None) -> ArrayOptions:
        """Return the options of an array in a group.

        Parameters
        ----------
        zarr_format
            Zarr format of the group; None for an array outside a group.

        Raises
        ------
        ValueError
            If the options name another format: Zarr does not find an array of one format in a
            group of the other.
        """
        if zarr_format is None or self.zarr_format == zarr_format:
            return self
        if self.zarr_format is not None:
            raise ValueError(
                f"{self.where}: zarr_format={self.zarr_format}, but the group of the array has "
                f"Zarr format {zarr_format}; leave zarr_format out or give another target_store"
            )
        return replace(self, zarr_format=zarr_format)


def parse_options(
    options: Mapping[str, Any] | None,
    *,
    where: str = "target_options",
    limit: int = sys.maxsize,
) -> ArrayOptions:
    """Check the names of options and the values that do not depend on the array.

    Parameters
    ----------
    options
        Keywords of `zarr.create_array`, with the names of Zarr format 2 or of Zarr format 3.
    where
        Name of the options in error messages, such as ``"target_options['air']"``.
    limit
        Bytes of a stored object that fit in memory.

    Raises
    ------
    ValueError
        If an option is unknown, not allowed or given twice, or a value is not allowed.
    TypeError
        If `options` is not a mapping, or a value has the wrong type.

    Examples
    --------
    >>> parse_options({"compressor": None, "overwrite": True}).overwrite
    True
    >>> parse_options({"chunks": (1,)})
    Traceback (most recent call last):
    ValueError: target_options: 'chunks' is not allowed: the chunks of the target are given ...
    """
    if options is None:
        return ArrayOptions(where=where, limit=limit)
    if not isinstance(options, Mapping):
        raise TypeError(f"{where} must be a dict of options by name, got {options!r}")
    for name in options:
        _check_name(name, where)
    _warn_of_unused(options, where)
    for alias, name in ALIASES.items():
        if alias in options and name in options:
            raise ValueError(f"{where}: {alias!r} and {name!r} are the same option; give only one")
    values = {ALIASES.get(name, name): value for name, value in options.items()}
    _check_values(values, where)
    empty = values.get("write_empty_chunks")
    return ArrayOptions(
        zarr_format=values.get("zarr_format"),
        overwrite=bool(values.get("overwrite", False)),
        write_empty_chunks=None if empty is None else bool(empty),
        named={name: values[name] for name in ENCODING if name in values},
        where=where,
        limit=limit,
    )


def _check_name(name: Any, where: str) -> None:
    if name in REFUSED:
        raise ValueError(f"{where}: {name!r} is not allowed: {REFUSED[name]}")
    if name not in ALLOWED:
        raise ValueError(
            f"{where}: {name!r} is not an option{did_you_mean(name, ALLOWED)} "
            f"The options are {', '.join(ALLOWED)}"
        )


def _warn_of_unused(options: Mapping[str, Any], where: str) -> None:
    unused = [name for name in UNUSED if name in options]
    if unused:
        message = f"{where}: ignored, without effect in Zarr-Python 3: {', '.join(unused)}"
        warn_user(message, UnusedOptionWarning)


def _check_values(values: Mapping[str, Any], where: str) -> None:
    """Check the values that do not depend on the array."""
    for name in ("overwrite", "write_empty_chunks"):
        if not isinstance(values.get(name), bool | np.bool_ | None):
            raise TypeError(f"{where}: {name} must be True or False, got {values[name]!r}")
    choices = {"zarr_format": (2, 3), "order": ("C", "F"), "dimension_separator": (".", "/")}
    for name, allowed in choices.items():
        if values.get(name) not in (*allowed, None):
            listed = " or ".join(map(repr, allowed))
            raise ValueError(f"{where}: {name} must be {listed}, got {values[name]!r}")
    if "chunk_key_encoding" in values and "dimension_separator" in values:
        raise ValueError(
            f"{where}: chunk_key_encoding and dimension_separator both set the separator of "
            "chunk keys; give only one"
        )
