"""Encoded datasets: values and metadata as `Dataset.to_zarr` would write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import zarr
from zarr.abc.buffer import Buffer
from zarr.storage import MemoryStore

from rechunker.metadata import Document, document_of, quiet
from rechunker.sources.xarray.private import encode_variables

if TYPE_CHECKING:
    import xarray

__all__ = ["EncodedDataset", "EncodedVariable", "encode_dataset"]


@dataclass(frozen=True)
class EncodedVariable:
    """A variable as Xarray stores it.

    Parameters
    ----------
    values
        Encoded values: a NumPy array or a Dask array.
    document
        Metadata of the Zarr array.
    """

    values: Any
    document: Document


@dataclass(frozen=True)
class EncodedDataset:
    """A dataset as Xarray stores it.

    Parameters
    ----------
    variables
        Encoded variables by name.
    attributes
        Attributes of the group.
    """

    variables: Mapping[str, EncodedVariable]
    attributes: Mapping[str, Any]


def encode_dataset(dataset: xarray.Dataset, zarr_format: Literal[2, 3]) -> EncodedDataset:
    """Return what `Dataset.to_zarr` would write; only metadata are written, to memory.

    Parameters
    ----------
    dataset
        Dataset whose variables have the encodings to use, with chunks.
    zarr_format
        Zarr format of the target.

    Raises
    ------
    ValueError, TypeError, NotImplementedError
        If Xarray cannot write a variable with its encoding.
    """
    objects: dict[str, Buffer] = {}
    with quiet():
        encoded = encode_variables(dataset, objects, zarr_format)
        group = zarr.open_group(MemoryStore(objects), mode="r", use_consolidated=False)
        variables = {
            name: EncodedVariable(values, document_of(array))
            for name, (values, array) in encoded.items()
        }
    return EncodedDataset(variables, group.attrs.asdict())
