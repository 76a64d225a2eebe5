"""Hierarchies of Xarray datasets: a group with one array per variable."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import zarr
from zarr.storage import StorePath

from rechunker.metadata import Document
from rechunker.sources.base import ArrayRequest, Hierarchy
from rechunker.sources.options_by_array import Given, options_by_array
from rechunker.sources.target_chunks import ArrayChunks, chunks_by_array
from rechunker.sources.xarray.checks import check_dataset
from rechunker.sources.xarray.encoded_dataset import encode_dataset
from rechunker.sources.xarray.encoding_keys import (
    DatasetOptions,
    parse_dataset_options,
    parse_encoding,
)
from rechunker.sources.xarray.lazy_variables import encodable_dataset
from rechunker.sources.xarray.target_chunks import members_of, target_chunks_of
from rechunker.sources.xarray.target_encoding import target_encoding
from rechunker.sources.xarray.target_variables import TargetVariables
from rechunker.sources.xarray.undecoded import checked_arrays, find_undecoded

if TYPE_CHECKING:
    import xarray

__all__ = [
    "DatasetRequest",
    "dataset_hierarchy",
    "kind_of_xarray",
    "request_dataset",
    "zarr_format_of",
]

ZarrFormat = Literal[2, 3]

# Name in Zarr of a variable whose name in Xarray is None (2025.1 to 2026.9).
_NO_NAME = "__values__"


def kind_of_xarray(source: Any) -> str | None:
    """Return the name of an object's Xarray class, without importing Xarray.

    Parameters
    ----------
    source
        Any object.

    Returns
    -------
    str or None
        "Dataset", "DataTree" or "DataArray"; None for any other object.
    """
    xarray = sys.modules.get("xarray")
    names = ("Dataset", "DataTree", "DataArray")
    kinds = (name for name in names if isinstance(source, getattr(xarray, name, ())))
    return next(kinds, None)


def dataset_hierarchy(
    dataset: xarray.Dataset,
    chunks: Any,
    options: Mapping[str, Any] | None,
    zarr_format: Any,
    limit: int,
) -> Hierarchy:
    """Return the hierarchy of a dataset: a group with one array per variable.

    Parameters
    ----------
    dataset
        Any dataset that Xarray can write to Zarr.
    chunks
        Target chunks, as `chunks_by_array` takes them.
    options
        Encodings, as `options_by_array` takes them; also ``overwrite`` and ``zarr_format`` for the
        whole target.
    zarr_format
        Zarr format of the group that will hold the target; None if there is no such group.
    limit
        Bytes of a stored object that fit in memory.

    Raises
    ------
    TypeError, ValueError
        If the chunks or the options are not allowed for this dataset, or Xarray cannot write it.
    """
    if None in dataset.variables:
        dataset = dataset.rename({None: _NO_NAME})
    parsed = parse_dataset_options(options)
    target_format = zarr_format_of([dataset], parsed, zarr_format)
    check_dataset(dataset)
    members = members_of({"": dataset}, "dataset")
    wanted = chunks_by_array(chunks, members)
    given = options_by_array(parsed.by_name, members)
    request = request_dataset(dataset, wanted, given, target_format, limit)
    return Hierarchy(
        arrays=request.arrays,
        groups={"": request.group},
        zarr_format=target_format,
        overwrite=request.overwrite | frozenset([""] if parsed.overwrite else []),
        consolidated=True,
        origins=request.origins,
        plain_temp=True,
    )


def zarr_format_of(
    datasets: Iterable[xarray.Dataset], options: DatasetOptions, group_format: ZarrFormat | None
) -> ZarrFormat:
    """Return the Zarr format of the target of one dataset, or of those of a tree.

    Parameters
    ----------
    datasets
        Without a format in the options, and outside a group, the target has the format of their
        first variable from Zarr, or else Zarr's default format.
    options
        Options of the whole target.
    group_format
        Zarr format of the group that will hold the target; None if there is no such group.

    Raises
    ------
    ValueError
        If the options name another format than that of the group.
    """
    if options.zarr_format is not None and group_format not in (None, options.zarr_format):
        raise ValueError(
            f"target_options: zarr_format={options.zarr_format}, but the group at target_store has "
            f"Zarr format {group_format}; leave zarr_format out or give another target_store"
        )
    chosen = group_format or options.zarr_format
    if chosen is not None:
        return chosen
    for dataset in datasets:
        for variable in dataset.variables.values():
            if "compressors" in variable.encoding:
                return 3 if "serializer" in variable.encoding else 2
    return 2 if zarr.config.get("default_zarr_format") == 2 else 3


@dataclass(frozen=True)
class DatasetRequest:
    """Request to write the group of one dataset.

    Parameters
    ----------
    arrays
        Requests of the arrays, one per variable.
    group
        Metadata of the group.
    origins
        Places of the Zarr arrays, groups and local files that are read.
    overwrite
        Names of the arrays that may be replaced.
    """

    arrays: tuple[ArrayRequest, ...]
    group: Document
    origins: tuple[StorePath, ...]
    overwrite: frozenset[str]


def request_dataset(
    dataset: xarray.Dataset,
    wanted: Mapping[str, ArrayChunks],
    given: Mapping[str, Given],
    zarr_format: ZarrFormat,
    limit: int,
) -> DatasetRequest:
    """Return the request to rechunk one dataset.

    Parameters
    ----------
    dataset
        Any dataset that Xarray can write to Zarr.
    wanted
        Target chunks by variable name.
    given
        Encodings by variable name.
    zarr_format
        Zarr format of the target.
    limit
        Bytes of a stored object that fit in memory.

    Raises
    ------
    TypeError, ValueError
        If the chunks or the options are not allowed for this dataset, or Xarray cannot write it.
    """
    read = checked_arrays(dataset)
    variables = {str(name): variable for name, variable in dataset.variables.items()}
    parsed = {n: parse_encoding(own, zarr_format, where) for n, (own, where) in given.items()}
    overwrite = frozenset(name for name, own in parsed.items() if own.pop("overwrite", False))
    encodings = {
        name: target_encoding(
            variable,
            target_chunks_of(variable, wanted[name], limit),
            Given(parsed.get(name, {}), given[name].where if name in given else "target_options"),
            zarr_format,
            limit,
        )
        for name, variable in variables.items()
    }
    undecoded = find_undecoded(dataset, encodings, zarr_format)
    encodable = encodable_dataset(dataset, encodings, undecoded, zarr_format)
    encoded = encode_dataset(encodable, zarr_format)
    target = TargetVariables(dataset, encodings, parsed, undecoded, encoded, zarr_format, read)
    group = {"zarr_format": zarr_format, "attributes": dict(encoded.attributes)}
    return DatasetRequest(tuple(map(target.request, variables)), group, target.origins(), overwrite)
