"""The words of a dataset's encoding, and what users may say in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rechunker.metadata import did_you_mean

__all__ = [
    "CF_WORDS",
    "OF_ELEMENTS",
    "RELATED",
    "ZARR_WORDS",
    "DatasetOptions",
    "parse_encoding",
    "split_options",
]

# What makes numbers that are stored into values.
CF_WORDS = (
    "_Encoding",
    "_FillValue",
    "_Unsigned",
    "add_offset",
    "calendar",
    "dtype",
    "missing_value",
    "scale_factor",
    "units",
)
# Those of them that hold an element, or its type.
OF_ELEMENTS = ("_FillValue", "dtype", "missing_value")
# What names other variables.
RELATED = (
    "bounds",
    "cell_measures",
    "climatology",
    "coordinates",
    "formula_terms",
    "geometry",
    "grid_mapping",
)
# How Zarr stores the numbers.
ZARR_WORDS = (
    "chunk_key_encoding",
    "compressors",
    "fill_value",
    "filters",
    "serializer",
    "shards",
    "write_empty_chunks",
)
_ALLOWED = tuple(sorted({*CF_WORDS, *RELATED, *ZARR_WORDS, "cache_metadata", "compressor"}))
_CHUNKS = "the chunks of the target are given by target_chunks"
_REFUSED = {
    "chunks": _CHUNKS,
    "chunksizes": _CHUNKS,
    "preferred_chunks": _CHUNKS,
    "order": "xarray knows it not; give filters=[zarr.codecs.TransposeCodec(order=...)]",
    "shape": "the target has the shape of the source",
    "overwrite": "it is for the whole target: target_options={'overwrite': True}",
    "zarr_format": "it is for the whole target: target_options={'zarr_format': 2}",
}
_ONLY_V3 = {
    "fill_value": "give _FillValue, which is the fill value of its arrays",
    "serializer": "give filters and a compressor",
    "shards": "leave them out, or give zarr_format=3",
}


@dataclass(frozen=True)
class DatasetOptions:
    """What `target_options` say of a dataset.

    Parameters
    ----------
    overwrite
        Whether what is at the target may be deleted.
    zarr_format
        None: that of the source.
    named
        All other options, by name of a variable or path of a group.
    """

    overwrite: bool = False
    zarr_format: Literal[2, 3] | None = None
    named: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def split_options(options: Mapping[str, Any] | None) -> DatasetOptions:
    """Tell what is for the whole target from what is for a variable.

    Parameters
    ----------
    options
        As the user gave them.

    Raises
    ------
    TypeError, ValueError
        If something is of a wrong type.
    """
    if options is None:
        return DatasetOptions()
    if not isinstance(options, Mapping):
        raise TypeError(f"target_options is a dict by name of a variable, not {options!r}")
    named = dict(options)
    overwrite, zarr_format = False, None
    if not isinstance(named.get("overwrite"), Mapping | None):
        overwrite = named.pop("overwrite")
        if not isinstance(overwrite, bool):
            raise TypeError(f"target_options: overwrite is True or False, not {overwrite!r}")
    if not isinstance(named.get("zarr_format"), Mapping | None):
        zarr_format = named.pop("zarr_format")
        if zarr_format not in (2, 3):
            raise ValueError(f"target_options: zarr_format is 2 or 3, not {zarr_format!r}")
    return DatasetOptions(overwrite, zarr_format, named)


def parse_encoding(options: Any, zarr_format: int, where: str) -> dict[str, Any]:
    """Check the words of a variable's options, and return them in the words of xarray.

    Parameters
    ----------
    options
        As the user gave them, for one variable.
    zarr_format
        Of the target.
    where
        What to call them in errors.

    Raises
    ------
    TypeError, ValueError
        If a word is unknown or not allowed, or two say the same.
    """
    if not isinstance(options, Mapping):
        raise TypeError(
            f"{where} is a dict, as in the encoding of Dataset.to_zarr: not {options!r}"
        )
    for word in options:
        _check_word(word, zarr_format, where)
    if "compressor" in options and "compressors" in options:
        raise ValueError(f"{where}: 'compressor' and 'compressors' say the same; give one of them")
    words = {"compressors" if word == "compressor" else word: v for word, v in options.items()}
    words.pop("cache_metadata", None)  # zarr 3 has none, and xarray takes it silently
    return words


def _check_word(word: Any, zarr_format: int, where: str) -> None:
    if word in _REFUSED:
        raise ValueError(f"{where}: {word!r} is not allowed: {_REFUSED[word]}")
    if zarr_format == 2 and word in _ONLY_V3:
        raise ValueError(f"{where}: Zarr format 2 has no {word}; {_ONLY_V3[word]}")
    if word not in _ALLOWED:
        raise ValueError(
            f"{where}: {word!r} is not a word of an encoding{did_you_mean(word, _ALLOWED)} "
            f"The words are {', '.join(_ALLOWED)}"
        )
