"""Hierarchies of Xarray datasets: a group with one array per variable."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import zarr
from zarr.storage import StorePath

from rechunker.metadata import (
    ArrayOptions,
    Document,
    check_names,
    chunk_shapes,
    document_of,
    target_document,
)
from rechunker.planning import simplify_axis
from rechunker.sources.base import ArrayRequest, Hierarchy, SourceArray
from rechunker.sources.dask import dask_source, is_dask_array
from rechunker.sources.numpy_array import numpy_source
from rechunker.sources.xarray.checks import check_dataset
from rechunker.sources.xarray.encoded_dataset import EncodedDataset, EncodedVariable, encode_dataset
from rechunker.sources.xarray.encoding_keys import (
    DECODING_KEYS,
    ELEMENT_KEYS,
    DatasetOptions,
    parse_dataset_options,
    parse_encoding,
)
from rechunker.sources.xarray.lazy_variables import encodable_dataset
from rechunker.sources.xarray.private import is_lazy
from rechunker.sources.xarray.target_chunks import target_chunks_of
from rechunker.sources.xarray.target_encoding import target_encoding
from rechunker.sources.xarray.times import exact_times, with_source_units
from rechunker.sources.xarray.undecoded import (
    ArraysRead,
    UndecodedVariable,
    checked_arrays,
    find_undecoded,
)
from rechunker.sources.zarr_array import zarr_source
from rechunker.stores import absolute_files, absolute_origins, outermost

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
# Options of a variable that Zarr needs even if its stored values are copied undecoded.
_ZARR_OPTIONS = ("chunk_key_encoding", "compressors", "filters", "serializer", "shards")


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
    dataset: xarray.Dataset, chunks: Any, options: Mapping[str, Any] | None, zarr_format: Any
) -> Hierarchy:
    """Return the hierarchy of a dataset: a group with one array per variable.

    Parameters
    ----------
    dataset
        Any dataset that Xarray can write to Zarr.
    chunks
        Target chunks by dimension or by variable; None keeps them.
    options
        Encodings by variable name; also ``overwrite`` and ``zarr_format`` for the whole target.
    zarr_format
        Zarr format of the group that will hold the target; None if there is no such group.

    Raises
    ------
    TypeError, ValueError
        If the chunks or the options are not allowed for this dataset, or Xarray cannot write it.
    """
    parsed = parse_dataset_options(options)
    target_format = zarr_format_of([dataset], parsed, zarr_format)
    request = request_dataset(dataset, chunks, parsed.by_name, target_format)
    return Hierarchy(
        arrays=request.arrays,
        groups={"": request.group},
        zarr_format=target_format,
        overwrite=frozenset([""] if parsed.overwrite else []),
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
    """

    arrays: tuple[ArrayRequest, ...]
    group: Document
    origins: tuple[StorePath, ...]


def request_dataset(
    dataset: xarray.Dataset,
    chunks: Any,
    options: Mapping[str, Any],
    zarr_format: ZarrFormat,
    where: str = "",
) -> DatasetRequest:
    """Return the request to rechunk one dataset.

    Parameters
    ----------
    dataset
        Any dataset that Xarray can write to Zarr.
    chunks
        Target chunks by dimension or by variable; None keeps them.
    options
        Encodings by variable name.
    zarr_format
        Zarr format of the target.
    where
        Index after the names of arguments in error messages, such as "['/node']" in a tree.

    Raises
    ------
    TypeError, ValueError
        If the chunks or the options are not allowed for this dataset, or Xarray cannot write it.
    """
    check_dataset(dataset)
    read = checked_arrays(dataset)
    if not isinstance(options, Mapping):
        raise TypeError(
            f"target_options{where} must be a dict by name of a variable, got {options!r}"
        )
    check_names(options, set(dataset.variables), f"target_options{where}")
    target_chunks = target_chunks_of(dataset, chunks, f"target_chunks{where}")
    parsed = {
        name: parse_encoding(encoding, zarr_format, f"target_options{where}[{name!r}]")
        for name, encoding in options.items()
    }
    encodings = {
        name: target_encoding(
            dataset.variables[name],
            target_chunks[name],
            parsed.get(name, {}),
            zarr_format,
            f"target_options{where}[{name!r}]",
        )
        for name in target_chunks
    }
    undecoded = find_undecoded(dataset, encodings, zarr_format)
    encodable = encodable_dataset(dataset, encodings, undecoded, zarr_format)
    encoded = encode_dataset(encodable, zarr_format)
    variables = _TargetVariables(dataset, encodings, parsed, undecoded, encoded, zarr_format, read)
    arrays = tuple(variables.request(str(name)) for name in dataset.variables)
    group = {"zarr_format": zarr_format, "attributes": dict(encoded.attributes)}
    return DatasetRequest(arrays, group, variables.origins())


@dataclass(frozen=True)
class _TargetVariables:
    """The variables of a dataset in the target; `options` are what users gave, by name."""

    dataset: xarray.Dataset
    encodings: Mapping[str, Mapping[str, Any]]
    options: Mapping[str, Mapping[str, Any]]
    undecoded: Mapping[str, UndecodedVariable]
    encoded: EncodedDataset
    zarr_format: ZarrFormat
    read: ArraysRead

    def request(self, name: str) -> ArrayRequest:
        """Return the request to write one variable."""
        encoded, stored = self.encoded.variables[name], self.undecoded.get(name)
        write_empty = bool(self.encodings[name].get("write_empty_chunks"))
        if stored is not None:
            document = self._undecoded_document(name, stored, encoded.document)
            source = zarr_source(stored.array, document_of(stored.array), f"variable {name!r}")
        else:
            document = with_source_units(encoded.document, self.encodings[name].get("units"))
            source = self._encoded_source(name, encoded)
        return ArrayRequest(name, source, document, write_empty)

    def _encoded_source(self, name: str, encoded: EncodedVariable) -> SourceArray:
        if not is_dask_array(encoded.values):
            values, variable = np.asarray(encoded.values), self.dataset.variables[name]
            values = exact_times(values, encoded.document["attributes"], variable)
            return numpy_source(values, chunk_shapes(encoded.document).stored)
        source = dask_source(encoded.values)
        if is_lazy(self.dataset.variables[name]):
            # Blocks are only read and not computed, so the planner may read a block twice.
            return replace(source, grid=tuple(map(simplify_axis, source.shape, source.grid)))
        return source

    def _undecoded_document(
        self, name: str, stored: UndecodedVariable, encoded: Document
    ) -> Document:
        """Return the metadata of an array whose stored values are copied."""
        source = document_of(stored.array)
        same_format = source["zarr_format"] == self.zarr_format
        document = encoded
        if not stored.is_numeric:
            options = ArrayOptions(
                zarr_format=self.zarr_format,
                named={k: v for k, v in self.options.get(name, {}).items() if k in _ZARR_OPTIONS},
                where=f"target_options[{name!r}]",
            )
            own = target_document(stored.array, self.encodings[name]["chunks"], options)
            document = {**own, "attributes": encoded["attributes"]}
            if "dimension_names" in encoded:
                document["dimension_names"] = encoded["dimension_names"]
        if not same_format and stored.is_numeric:
            return document
        # Keys that Xarray did not use to decode are plain attributes, which may have changed.
        element_keys = () if stored.is_numeric else ELEMENT_KEYS
        plain = set(self.dataset.variables[name].attrs) - set(element_keys)
        decoding = {
            key: value
            for key, value in source["attributes"].items()
            if key in DECODING_KEYS and key not in plain
        }
        attributes = {**document["attributes"], **decoding}
        order = [key for key in source["attributes"] if key in attributes]
        document = {**document, "attributes": {k: attributes[k] for k in [*order, *attributes]}}
        if same_format and "fill_value" not in self.options.get(name, {}):
            document["fill_value"] = source["fill_value"]
        return document

    def origins(self) -> tuple[StorePath, ...]:
        """Return the places of all Zarr arrays, groups and local files that are read."""
        read = [*self.read]
        read += [(stored.array, True) for stored in self.undecoded.values()]
        groups = absolute_origins(array for array, in_group in read if in_group)
        parents = [StorePath(array.store, array.path.rpartition("/")[0]) for array in groups]
        arrays = absolute_origins(array for array, _ in read)
        return (*outermost(parents), *arrays, *absolute_files(self._files()))

    def _files(self) -> Iterator[Any]:
        """Yield the names of files, if they are known, of which something is still to be read."""
        unread = [v for v in self.dataset.variables.values() if is_lazy(v) or v.chunks is not None]
        if unread:
            yield self.dataset.encoding.get("source")
        yield from (variable.encoding.get("source") for variable in unread)
