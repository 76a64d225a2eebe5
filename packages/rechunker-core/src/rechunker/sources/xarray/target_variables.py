"""Variables of a dataset in the target: the request to write each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from zarr.storage import StorePath

from rechunker.metadata import ArrayOptions, Document, chunk_shapes, document_of, target_document
from rechunker.planning import simplify_axis
from rechunker.sources.base import ArrayRequest, SourceArray
from rechunker.sources.dask import dask_source, is_dask_array
from rechunker.sources.numpy_array import numpy_source
from rechunker.sources.xarray.encoded_dataset import EncodedDataset, EncodedVariable
from rechunker.sources.xarray.encoding_keys import DECODING_KEYS, ELEMENT_KEYS
from rechunker.sources.xarray.private import is_lazy
from rechunker.sources.xarray.times import exact_times, with_source_units
from rechunker.sources.xarray.undecoded import ArraysRead, UndecodedVariable
from rechunker.sources.zarr_array import zarr_source
from rechunker.stores import absolute_files, absolute_origins, outermost

if TYPE_CHECKING:
    import xarray

__all__ = ["TargetVariables"]

# Options of a variable that Zarr needs even if its stored values are copied undecoded.
_ZARR_OPTIONS = ("chunk_key_encoding", "compressors", "filters", "serializer", "shards")


@dataclass(frozen=True)
class TargetVariables:
    """The variables of a dataset in the target.

    Parameters
    ----------
    dataset
        Source.
    encodings
        Encodings in the target by variable name.
    options
        Those of their keys that users gave.
    undecoded
        Variables whose stored values are copied.
    encoded
        The dataset as Xarray would write it.
    zarr_format
        Zarr format of the target.
    read
        Zarr arrays that the dataset reads, by variable name.
    """

    dataset: xarray.Dataset
    encodings: Mapping[str, Mapping[str, Any]]
    options: Mapping[str, Mapping[str, Any]]
    undecoded: Mapping[str, UndecodedVariable]
    encoded: EncodedDataset
    zarr_format: Literal[2, 3]
    read: Mapping[str, ArraysRead]

    def request(self, name: str) -> ArrayRequest:
        """Return the request to write one variable.

        Parameters
        ----------
        name
            Name of the variable.
        """
        encoded, stored = self.encoded.variables[name], self.undecoded.get(name)
        write_empty = bool(self.encodings[name].get("write_empty_chunks"))
        if stored is not None:
            document = self._undecoded_document(name, stored, encoded.document)
            source = zarr_source(stored.array, document_of(stored.array), f"variable {name!r}")
        else:
            document = with_source_units(encoded.document, self.encodings[name].get("units"))
            source = self._encoded_source(name, encoded)
        if "chunk_key_encoding" not in self.options.get(name, {}):
            document = {**document, **self._chunk_keys(name)}
        return ArrayRequest(name, source, document, write_empty)

    def _chunk_keys(self, name: str) -> Document:
        """Return how chunks are named: as those that a variable, or else the dataset, is read from.

        Xarray does not keep this. It loads coordinates of indexes, and what is computed comes from
        several arrays or from none: where these are not alike, Xarray has its way.
        """
        stored = self.undecoded.get(name)
        own = [stored.array] if stored is not None else [array for array, _ in self.read[name]]
        known = self._known_keys
        named = [known[id(array)] for array in own if id(array) in known] or [*known.values()]
        return dict(named[0]) if named and all(keys == named[0] for keys in named) else {}

    @cached_property
    def _known_keys(self) -> dict[int, Document]:
        """How the chunks of all arrays of the target's format are named, by identity."""
        key = "dimension_separator" if self.zarr_format == 2 else "chunk_key_encoding"
        arrays = [array for read in self.read.values() for array, _ in read]
        arrays += [stored.array for stored in self.undecoded.values()]
        documents = {id(array): document_of(array) for array in arrays}
        return {
            number: {key: document[key]} if key in document else {}
            for number, document in documents.items()
            if document["zarr_format"] == self.zarr_format
        }

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
            if self.zarr_format == 2 and not same_format:
                # Xarray takes the fill value of an array of format 2 for that of missing values.
                document["fill_value"] = encoded["fill_value"]
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
        read = [pair for arrays in self.read.values() for pair in arrays]
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
