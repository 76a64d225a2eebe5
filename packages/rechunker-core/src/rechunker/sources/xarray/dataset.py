"""Xarray datasets as sources."""

from __future__ import annotations

import sys
from collections.abc import Mapping
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
from rechunker.sources.xarray.chunks import target_chunks_of
from rechunker.sources.xarray.encoding import target_encoding
from rechunker.sources.xarray.metadata import Metadata, Written, write_metadata
from rechunker.sources.xarray.prepare import prepared
from rechunker.sources.xarray.private import arrays_read, is_lazy
from rechunker.sources.xarray.raw import Raw, find_raw
from rechunker.sources.xarray.times import exact_times, with_text_of_units
from rechunker.sources.xarray.words import CF_WORDS, OF_ELEMENTS, parse_encoding, split_options
from rechunker.sources.zarr_array import zarr_source

if TYPE_CHECKING:
    import xarray

__all__ = ["DatasetPart", "dataset_hierarchy", "dataset_part", "format_of", "kind_of_xarray"]

ZarrFormat = Literal[2, 3]


def kind_of_xarray(source: Any) -> str | None:
    """Return the name of the class of xarray; xarray is not imported to find out."""
    xarray = sys.modules.get("xarray")
    names = ("Dataset", "DataTree", "DataArray")
    found = (name for name in names if isinstance(source, getattr(xarray, name, ())))
    return next(found, None)


def dataset_hierarchy(
    dataset: xarray.Dataset, chunks: Any, options: Mapping[str, Any] | None, zarr_format: Any
) -> Hierarchy:
    """Return what a dataset becomes: a group, with an array for each of its variables.

    Parameters
    ----------
    dataset
        Any dataset that xarray can write.
    chunks
        Target chunks by name of a dimension, or by name of a variable.
    options
        Encodings by name of the variable; besides, for the whole target, `overwrite` and
        `zarr_format`.
    zarr_format
        Of the group that is to hold it; None if there is none yet.
    """
    words = split_options(options)
    wanted = zarr_format or words.zarr_format or format_of([dataset])
    if words.zarr_format not in (None, wanted):
        raise ValueError(
            f"target_options: zarr_format={words.zarr_format}, but target_store is a group of "
            f"format {wanted}; leave zarr_format out or give another store"
        )
    part = dataset_part(dataset, chunks, words.named, wanted)
    return Hierarchy(
        arrays=part.arrays,
        groups={"": part.attributes},
        zarr_format=wanted,
        overwrite=frozenset([""] if words.overwrite else []),
        consolidated=True,
        origins=part.origins,
        plain_temp=True,
    )


def format_of(datasets: list[xarray.Dataset]) -> ZarrFormat:
    """Return the format of the first variable that comes from Zarr, or the one for new groups.

    Parameters
    ----------
    datasets
        Where to look.
    """
    for dataset in datasets:
        for variable in dataset.variables.values():
            if "compressors" in variable.encoding:
                return 3 if "serializer" in variable.encoding else 2
    return 2 if zarr.config.get("default_zarr_format") == 2 else 3


@dataclass(frozen=True)
class DatasetPart:
    """What one dataset becomes.

    Parameters
    ----------
    arrays
        One for every variable.
    attributes
        Of the group.
    origins
        Places of Zarr arrays that are read.
    """

    arrays: tuple[ArrayRequest, ...]
    attributes: Mapping[str, Any]
    origins: tuple[StorePath, ...]


def dataset_part(
    dataset: xarray.Dataset,
    chunks: Any,
    options: Mapping[str, Any],
    zarr_format: ZarrFormat,
    where: str = "",
) -> DatasetPart:
    """Return what one dataset becomes, of several perhaps.

    Parameters
    ----------
    dataset
        Any dataset that xarray can write.
    chunks, options
        Those of this dataset.
    zarr_format
        Of the target.
    where
        What to add to the names of arguments in errors.
    """
    _check_dataset(dataset)
    check_names(options, set(dataset.variables), f"target_options{where}")
    wanted = target_chunks_of(dataset, chunks, f"target_chunks{where}")
    words = {
        name: parse_encoding(given, zarr_format, f"target_options{where}[{name!r}]")
        for name, given in options.items()
    }
    encodings = {
        name: target_encoding(
            dataset.variables[name],
            wanted[name],
            words.get(name, {}),
            zarr_format,
            f"target_options{where}[{name!r}]",
        )
        for name in wanted
    }
    raws = find_raw(dataset, encodings, zarr_format)
    metadata = write_metadata(prepared(dataset, encodings, raws, zarr_format), zarr_format)
    found = _Variables(dataset, encodings, words, raws, metadata, zarr_format)
    arrays = tuple(found.request(str(name)) for name in dataset.variables)
    return DatasetPart(arrays, metadata.attributes, tuple(found.origins()))


def _check_dataset(dataset: xarray.Dataset) -> None:
    for name, index in dataset.indexes.items():
        if index.nlevels > 1:
            raise ValueError(
                f"coordinate {name!r} is a MultiIndex, which Zarr has no place for; give "
                f"dataset.reset_index({name!r}), or compress its levels with cf_xarray"
            )
    for name in dataset.variables:
        if not isinstance(name, str) or not name or "/" in name:
            raise ValueError(
                f"{name!r} cannot be the name of an array in a group; rename the variable"
            )


@dataclass(frozen=True)
class _Variables:
    """All that is known of a dataset's variables."""

    dataset: xarray.Dataset
    encodings: Mapping[str, Mapping[str, Any]]
    words: Mapping[str, Mapping[str, Any]]
    raws: Mapping[str, Raw]
    metadata: Metadata
    zarr_format: ZarrFormat

    def request(self, name: str) -> ArrayRequest:
        """Return one array of the target."""
        written, raw = self.metadata.variables[name], self.raws.get(name)
        empty = bool(self.encodings[name].get("write_empty_chunks"))
        if raw is not None:
            document = self._raw_document(name, raw, written.document)
            return ArrayRequest(
                name, zarr_source(raw.array, document_of(raw.array)), document, empty
            )
        units = self.encodings[name].get("units")
        document = with_text_of_units(written.document, units)
        return ArrayRequest(name, self._source(name, written), document, empty)

    def _source(self, name: str, written: Written) -> SourceArray:
        if not is_dask_array(written.values):
            values, variable = np.asarray(written.values), self.dataset.variables[name]
            values = exact_times(values, written.document["attributes"], variable)
            return numpy_source(values, chunk_shapes(written.document).stored)
        source = dask_source(written.values)
        if is_lazy(self.dataset.variables[name]):
            # Nothing but reading is done to it, so that it may be read twice.
            return replace(source, grid=tuple(map(simplify_axis, source.shape, source.grid)))
        return source

    def _raw_document(self, name: str, raw: Raw, written: Document) -> Document:
        """Return the metadata for numbers that are copied as they are."""
        stored = document_of(raw.array)
        same = stored["zarr_format"] == self.zarr_format
        document = written
        if not raw.is_plain:
            encoding = self.encodings[name]
            options = ArrayOptions(
                zarr_format=self.zarr_format,
                named={w: v for w, v in self.words.get(name, {}).items() if w in _ZARR_OPTIONS},
                where=f"target_options[{name!r}]",
            )
            own = target_document(raw.array, encoding["chunks"], options)
            document = {**own, "attributes": written["attributes"]}
            if "dimension_names" in written:
                document["dimension_names"] = written["dimension_names"]
        if not same and raw.is_plain:
            return document
        # What xarray has not decoded with is a plain attribute, which may have changed.
        plain = set(self.dataset.variables[name].attrs) - set(() if raw.is_plain else OF_ELEMENTS)
        words = {w: v for w, v in stored["attributes"].items() if w in CF_WORDS and w not in plain}
        attributes = {**document["attributes"], **words}
        order = [w for w in stored["attributes"] if w in attributes]
        document = {**document, "attributes": {w: attributes[w] for w in [*order, *attributes]}}
        if same and "fill_value" not in self.words.get(name, {}):
            document["fill_value"] = stored["fill_value"]
        return document

    def origins(self) -> list[StorePath]:
        """Return the places of all Zarr arrays that are read."""
        variables = self.dataset.variables.values()
        arrays = [array for variable in variables for array in arrays_read(variable)]
        arrays += [raw.array for raw in self.raws.values()]
        return [array.store_path for array in arrays]


_ZARR_OPTIONS = ("chunk_key_encoding", "compressors", "filters", "serializer", "shards")
