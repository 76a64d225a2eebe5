"""Has xarray itself say how variables are stored: into memory, where only metadata are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import zarr
from zarr.abc.buffer import Buffer
from zarr.storage import MemoryStore

from rechunker.metadata import Document, document_of, quiet

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


@dataclass
class _Collector:
    """Takes the place of xarray's writer, and writes nothing."""

    written: dict[str, Written] = field(default_factory=dict)

    def add(self, source: Any, target: zarr.Array[Any], region: Any = None) -> None:
        self.written[target.path] = Written(source, document_of(target))


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
    from xarray.backends import ZarrStore

    objects: dict[str, Buffer] = {}
    collector = _Collector()
    with quiet():
        store = ZarrStore.open_group(
            MemoryStore(objects),
            mode="w",
            zarr_format=zarr_format,
            consolidated=False,
            safe_chunks=False,  # which is about chunks of dask, and those are not written
        )
        dataset.dump_to_store(store, writer=collector)
        group = zarr.open_group(MemoryStore(objects), mode="r", use_consolidated=False)
    return Metadata(collector.written, group.attrs.asdict())
