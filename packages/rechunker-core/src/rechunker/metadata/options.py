"""The words that `target_options` and `temp_options` may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from rechunker.metadata.wording import did_you_mean, warn_user

__all__ = ["ArrayOptions", "UnusedOptionWarning", "parse_options"]

ZarrFormat = Literal[2, 3]

# Words that say how elements and metadata are stored; `documents` turns them into metadata.
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
    "path": "the place is given by the store; for an array in a group use array_name",
    "name": "the place is given by the store; for an array in a group use array_name",
    "storage_options": "give a store that is made with them, such as FsspecStore.from_url(...)",
    "config": "of the run-time settings only write_empty_chunks matters here; give it by itself",
    "zarr_version": "it is called zarr_format",
}


class UnusedOptionWarning(UserWarning):
    """An option has no meaning any more and was left out."""


@dataclass(frozen=True)
class ArrayOptions:
    """What the user named about how one array is stored; the rest comes from the source.

    Parameters
    ----------
    zarr_format
        None: that of the source.
    overwrite
        Whether what is at the target may be deleted.
    write_empty_chunks
        None: chunks that are missing in the source stay missing, and others are written.
    named
        The other words (v2's ``compressor`` as ``compressors``), with the values given.
    where
        What to call the options in errors.
    """

    zarr_format: ZarrFormat | None = None
    overwrite: bool = False
    write_empty_chunks: bool | None = None
    named: Mapping[str, Any] = field(default_factory=dict)
    where: str = "target_options"

    def in_group(self, zarr_format: ZarrFormat | None) -> ArrayOptions:
        """Return the options for an array in a group of a format (None: in no group).

        Raises
        ------
        ValueError
            If they name another format: Zarr does not see an array of one format in a group of
            the other.
        """
        if zarr_format is None or self.zarr_format == zarr_format:
            return self
        if self.zarr_format is not None:
            raise ValueError(
                f"{self.where}: zarr_format={self.zarr_format}, but the group that is to hold the "
                f"array has format {zarr_format}; leave zarr_format out or give another store"
            )
        return replace(self, zarr_format=zarr_format)


def parse_options(
    options: Mapping[str, Any] | None, *, where: str = "target_options"
) -> ArrayOptions:
    """Check the words of options, and the values of the simple ones.

    Parameters
    ----------
    options
        Keywords of zarr's array creation, in the words of v2 or v3.
    where
        What to call them in errors, such as ``"target_options['air']"``.

    Raises
    ------
    ValueError
        If a word is unknown or not allowed, or two say the same.
    TypeError
        If the options or a value are of a wrong type.

    Examples
    --------
    >>> parse_options({"compressor": None, "overwrite": True}).overwrite
    True
    >>> parse_options({"chunks": (1,)})
    Traceback (most recent call last):
    ValueError: target_options: 'chunks' is not allowed: the chunks of the target are given ...
    """
    if options is None:
        return ArrayOptions(where=where)
    if not isinstance(options, Mapping):
        raise TypeError(f"{where} is a dict of options by name, not {options!r}")
    for word in options:
        _check_word(word, where)
    _warn_of_unused(options, where)
    for alias, word in ALIASES.items():
        if alias in options and word in options:
            raise ValueError(f"{where}: {alias!r} and {word!r} say the same; give one of them")
    words = {ALIASES.get(word, word): value for word, value in options.items()}
    _check_values(words, where)
    empty = words.get("write_empty_chunks")
    return ArrayOptions(
        zarr_format=words.get("zarr_format"),
        overwrite=bool(words.get("overwrite", False)),
        write_empty_chunks=None if empty is None else bool(empty),
        named={word: words[word] for word in ENCODING if word in words},
        where=where,
    )


def _check_word(word: Any, where: str) -> None:
    if word in REFUSED:
        raise ValueError(f"{where}: {word!r} is not allowed: {REFUSED[word]}")
    if word not in ALLOWED:
        raise ValueError(
            f"{where}: {word!r} is not an option{did_you_mean(word, ALLOWED)} "
            f"The options are {', '.join(ALLOWED)}"
        )


def _warn_of_unused(options: Mapping[str, Any], where: str) -> None:
    unused = [word for word in UNUSED if word in options]
    if unused:
        message = f"{where}: Zarr 3 has no {' and '.join(unused)}; it is ignored"
        warn_user(message, UnusedOptionWarning)


def _check_values(words: Mapping[str, Any], where: str) -> None:
    """Check the words that need no knowledge of the array."""
    for word in ("overwrite", "write_empty_chunks"):
        if not isinstance(words.get(word), bool | np.bool_ | None):
            raise TypeError(f"{where}: {word} is True or False, not {words[word]!r}")
    choices = {"zarr_format": (2, 3), "order": ("C", "F"), "dimension_separator": (".", "/")}
    for word, allowed in choices.items():
        if words.get(word) not in (*allowed, None):
            names = " or ".join(map(repr, allowed))
            raise ValueError(f"{where}: {word} is {names}, not {words[word]!r}")
    if "chunk_key_encoding" in words and "dimension_separator" in words:
        raise ValueError(
            f"{where}: chunk_key_encoding holds the dimension_separator; give one of them"
        )
