"""Has xarray itself say how variables are stored: into memory, where only metadata are written."""

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

__all__ = ["Metadata", "Written", "write_metadata"]


@dataclass(frozen=True)
class Written:
    """A variable as xarray stores it.

    Parameters
    ----------
    values
        Encoded: a numpy array, or a dask array.
    document
        Metadata of its array.
    """

    values: Any
    document: Document


@dataclass(frozen=True)
class Metadata:
    """A dataset as xarray stores it.

    Parameters
    ----------
    variables
        By name.
    attributes
        Of the group.
    """

    variables: Mapping[str, Written]
    attributes: Mapping[str, Any]


def write_metadata(dataset: xarray.Dataset, zarr_format: Literal[2, 3]) -> Metadata:
    """Return what `Dataset.to_zarr` would write.

    Parameters
    ----------
    dataset
        With the encodings that are wanted, chunks among them.
    zarr_format
        Of the target.

    Raises
    ------
    ValueError, TypeError, NotImplementedError
        If xarray refuses it.
    """
    objects: dict[str, Buffer] = {}
    with quiet():
        encoded = encode_variables(dataset, objects, zarr_format)
        group = zarr.open_group(MemoryStore(objects), mode="r", use_consolidated=False)
        written = {
            name: Written(values, document_of(array)) for name, (values, array) in encoded.items()
        }
    return Metadata(written, group.attrs.asdict())
