"""Keys of a variable's encoding: what each is for, and which of them users may give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rechunker.metadata import did_you_mean

__all__ = [
    "DECODING_KEYS",
    "ELEMENT_KEYS",
    "REFERENCE_KEYS",
    "STORAGE_KEYS",
    "DatasetOptions",
    "parse_dataset_options",
    "parse_encoding",
]

# Keys that say how stored values are decoded.
DECODING_KEYS = (
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
# Decoding keys whose value is an element of the array, or its dtype.
ELEMENT_KEYS = ("_FillValue", "dtype", "missing_value")
# Keys that name other variables.
REFERENCE_KEYS = (
    "bounds",
    "cell_measures",
    "climatology",
    "coordinates",
    "formula_terms",
    "geometry",
    "grid_mapping",
)
# Keys that say how Zarr stores the encoded values.
STORAGE_KEYS = (
    "chunk_key_encoding",
    "compressors",
    "fill_value",
    "filters",
    "serializer",
    "shards",
    "write_empty_chunks",
)
_ALLOWED = tuple(
    sorted(
        {*DECODING_KEYS, *REFERENCE_KEYS, *STORAGE_KEYS}
        | {"cache_metadata", "compressor", "overwrite"}
    )
)
_CHUNKS = "the chunks of the target are given by target_chunks"
_REFUSED = {
    "chunks": _CHUNKS,
    "chunksizes": _CHUNKS,
    "preferred_chunks": _CHUNKS,
    "order": (
        "Xarray encodings have no 'order'; use filters=[zarr.codecs.TransposeCodec(order=...)]"
    ),
    "shape": "the target has the shape of the source",
    "zarr_format": "it applies to the whole target; use target_options={'zarr_format': 2}",
}
_REFUSED_IN_FORMAT_2 = {
    "fill_value": "Xarray stores '_FillValue' as the fill value; use '_FillValue'",
    "serializer": "it has no serializers; use 'filters' and 'compressors'",
    "shards": "it has no shards; leave them out, or use target_options={'zarr_format': 3}",
}


@dataclass(frozen=True)
class DatasetOptions:
    """`target_options` of a dataset or a tree.

    Parameters
    ----------
    overwrite
        Whether to replace an array or group that exists at the target.
    zarr_format
        Zarr format of the target; None for that of the source.
    by_name
        All other options, by name or pattern of a variable, or by path of a node.
    """

    overwrite: bool = False
    zarr_format: Literal[2, 3] | None = None
    by_name: Mapping[Any, Any] = field(default_factory=dict)


def parse_dataset_options(options: Mapping[str, Any] | None) -> DatasetOptions:
    """Separate the options of the whole target from those of its variables or nodes.

    Parameters
    ----------
    options
        `target_options` as the user gave them.

    Raises
    ------
    TypeError
        If `options` is not a mapping, or ``overwrite`` is not a bool.
    ValueError
        If ``zarr_format`` is neither 2 nor 3.
    """
    if options is None:
        return DatasetOptions()
    if not isinstance(options, Mapping):
        raise TypeError(
            "target_options must be a dict by name of a variable, or for a tree by path of a "
            f"node, got {options!r}"
        )
    by_name = dict(options)
    overwrite, zarr_format = False, None
    # A variable may have the name of an option; its value is then a mapping.
    if not isinstance(by_name.get("overwrite"), Mapping | None):
        overwrite = by_name.pop("overwrite")
        if not isinstance(overwrite, bool):
            raise TypeError(f"target_options: overwrite must be True or False, got {overwrite!r}")
    if not isinstance(by_name.get("zarr_format"), Mapping | None):
        zarr_format = by_name.pop("zarr_format")
        if zarr_format not in (2, 3):
            raise ValueError(f"target_options: zarr_format must be 2 or 3, got {zarr_format!r}")
    return DatasetOptions(overwrite, zarr_format, by_name)


def parse_encoding(options: Mapping[str, Any], zarr_format: int, where: str) -> dict[str, Any]:
    """Check the encoding keys in the options of a variable, and return them as Xarray names them.

    Parameters
    ----------
    options
        Options of one variable as the user gave them.
    zarr_format
        Zarr format of the target.
    where
        Name of the options in error messages, such as ``"target_options['air']"``.

    Raises
    ------
    TypeError
        If ``overwrite`` is not a bool.
    ValueError
        If a key is unknown, not allowed or given under two names.
    """
    for key in options:
        _check_key(key, zarr_format, where)
    if not isinstance(options.get("overwrite", False), bool):
        raise TypeError(f"{where}: overwrite must be True or False, got {options['overwrite']!r}")
    if "compressor" in options and "compressors" in options:
        raise ValueError(
            f"{where}: 'compressor' and 'compressors' are the same option; give only one"
        )
    encoding = {"compressors" if key == "compressor" else key: v for key, v in options.items()}
    encoding.pop("cache_metadata", None)  # Zarr-Python 3 does not have it; Xarray ignores it
    return encoding


def _check_key(key: Any, zarr_format: int, where: str) -> None:
    if key in _REFUSED:
        raise ValueError(f"{where}: {key!r} is not allowed: {_REFUSED[key]}")
    if zarr_format == 2 and key in _REFUSED_IN_FORMAT_2:
        reason = _REFUSED_IN_FORMAT_2[key]
        raise ValueError(f"{where}: {key!r} is not allowed in Zarr format 2: {reason}")
    if key not in _ALLOWED:
        raise ValueError(
            f"{where}: {key!r} is not an encoding key{did_you_mean(key, _ALLOWED)} "
            f"The keys are {', '.join(_ALLOWED)}"
        )
