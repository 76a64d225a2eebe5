"""All that needs private names of xarray: which stored array a variable shows, and is it loaded.

Whatever is not as expected makes a variable one whose values are encoded anew, which is slower
and less exact, but always right. Seen from xarray 2025.1 to 2026.9.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import zarr
from zarr.abc.buffer import Buffer
from zarr.storage import MemoryStore

from rechunker.sources.dask import is_dask_array, opened_by, opened_unchanged

if TYPE_CHECKING:
    import xarray

__all__ = ["arrays_read", "encode_variables", "is_lazy", "stored_array"]

# What stands around an array that is opened and decoded: it hands on all elements, in order.
_WRAPPERS = frozenset(
    {
        "xarray.coding.common._ElementwiseFunctionArray",
        "xarray.coding.variables._ElementwiseFunctionArray",
        "xarray.coding.variables.BoolTypeArray",
        "xarray.coding.variables.NativeEndiannessArray",
        "xarray.core.indexing.CopyOnWriteArray",
        "xarray.core.indexing.ImplicitToExplicitIndexingAdapter",
        "xarray.core.indexing.MemoryCachedArray",
    }
)
_SELECTION = "xarray.core.indexing.LazilyIndexedArray"
_STORED = "xarray.backends.zarr.ZarrArrayWrapper"


def is_lazy(variable: xarray.Variable) -> bool:
    """Say whether the values are neither in memory nor in a dask array.

    Parameters
    ----------
    variable
        Of a dataset.
    """
    return variable.chunks is None and not getattr(variable, "_in_memory", True)


def stored_array(variable: xarray.Variable) -> zarr.Array[Any] | None:
    """Return the Zarr array that the variable shows, decoded or not, whole and in order.

    Parameters
    ----------
    variable
        Of a dataset.

    Returns
    -------
    zarr.Array or None
        None where there is none, where something was done to the values since it was opened,
        and where this cannot be told.
    """
    data = getattr(variable, "_data", None)
    return _unwrapped(opened_unchanged(data) if is_dask_array(data) else data)


def arrays_read(variable: xarray.Variable) -> Iterator[zarr.Array[Any]]:
    """Yield the Zarr arrays that the values come from, whatever was done to them since.

    Parameters
    ----------
    variable
        Of a dataset.
    """
    data = getattr(variable, "_data", None)
    for opened in opened_by(data).values() if is_dask_array(data) else [data]:
        while opened is not None and not isinstance(opened, zarr.Array):
            inside = hasattr(opened, "get_array") and str(type(opened).__module__).startswith("xa")
            opened = opened.get_array() if inside else getattr(opened, "array", None)
        if opened is not None:
            yield opened


def _unwrapped(data: Any) -> zarr.Array[Any] | None:
    while data is not None:
        name = f"{type(data).__module__}.{type(data).__qualname__}"
        if name == _STORED:
            found = data.get_array()
            return found if isinstance(found, zarr.Array) else None
        if name == _SELECTION:
            if not _is_everything(getattr(data, "key", None)):
                return None
        elif name not in _WRAPPERS or not _is_decoding(getattr(data, "func", None)):
            return None
        data = getattr(data, "array", None)
    return None


def _is_everything(key: Any) -> bool:
    parts = getattr(key, "tuple", None)
    return parts is not None and all(
        isinstance(part, slice) and part == slice(None) for part in parts
    )


def _is_decoding(function: Any) -> bool:
    """Say whether this is no function, or one of those that xarray decodes with."""
    function = getattr(function, "func", function)  # of a partial
    if function is None or function is np.asarray:  # the latter takes integers for unsigned ones
        return True
    return str(getattr(function, "__module__", "")).startswith("xarray.coding.")


class _Collector:
    """Takes the place of xarray's `ArrayWriter`; collects variables and writes nothing."""

    def __init__(self) -> None:
        self.variables: dict[str, tuple[Any, zarr.Array[Any]]] = {}

    def add(self, source: Any, target: zarr.Array[Any], region: Any = None) -> None:
        self.variables[target.path] = source, target


def encode_variables(
    dataset: xarray.Dataset, objects: dict[str, Buffer], zarr_format: Literal[2, 3]
) -> dict[str, tuple[Any, zarr.Array[Any]]]:
    """Encode a dataset as `Dataset.to_zarr` does, without computing or writing any values.

    Parameters
    ----------
    dataset
        Dataset whose variables have the encodings to use.
    objects
        Receives the metadata of the group and its arrays, by key.
    zarr_format
        Zarr format of the target.

    Returns
    -------
    dict
        Encoded values (a NumPy or dask array) and the array to write them to, by variable name.

    Notes
    -----
    The argument `writer` of ``Dataset.dump_to_store`` is not documented (xarray 2026.9).
    """
    from xarray.backends import ZarrStore

    collector = _Collector()
    store = ZarrStore.open_group(
        MemoryStore(objects),
        mode="w",
        zarr_format=zarr_format,
        consolidated=False,
        safe_chunks=False,  # checks dask chunks against Zarr chunks, but no task writes these
    )
    dataset.dump_to_store(store, writer=collector)
    return collector.variables
