"""Private names of Xarray: Zarr arrays behind variables, lazy loading, encoding without writing.

Looked up in Xarray 2025.1 to 2026.9. If anything differs from what is expected, the values of a
variable are decoded and encoded, which is slower and less exact, but always right.
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

__all__ = ["arrays_read", "encode_variables", "is_lazy", "is_virtual", "stored_array"]

# Wrappers around an array that Xarray opens and decodes; they keep all elements in their order.
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
    """Return whether a variable is loaded lazily: neither in memory nor dask-backed.

    Parameters
    ----------
    variable
        Any variable.
    """
    return variable.chunks is None and not getattr(variable, "_in_memory", True)


def is_virtual(variable: xarray.Variable) -> bool:
    """Return whether a variable has no values, but only says which parts of files hold them.

    VirtualiZarr makes such variables (`virtualizarr.manifests.ManifestArray`, 1.0 to 2.7).

    Parameters
    ----------
    variable
        Any variable.
    """
    return type(getattr(variable, "_data", None)).__module__.startswith("virtualizarr.")


def stored_array(variable: xarray.Variable) -> zarr.Array[Any] | None:
    """Return the Zarr array whose values, decoded or not, are all values of a variable in order.

    Parameters
    ----------
    variable
        Any variable.

    Returns
    -------
    zarr.Array or None
        None if there is no such array, if the values were changed since it was opened, or if
        neither can be told.
    """
    data = getattr(variable, "_data", None)
    return _unwrapped(opened_unchanged(data) if is_dask_array(data) else data)


def arrays_read(variable: xarray.Variable) -> Iterator[tuple[zarr.Array[Any], bool]]:
    """Yield the Zarr arrays that a variable reads, whether or not its values were changed since.

    Parameters
    ----------
    variable
        Any variable.

    Yields
    ------
    zarr.Array
        The array.
    bool
        Whether Xarray opened it as a variable of its group.
    """
    data = getattr(variable, "_data", None)
    for outside in opened_by(data).values() if is_dask_array(data) else [data]:
        opened, in_group = outside, False
        while opened is not None and not isinstance(opened, zarr.Array):
            inside = hasattr(opened, "get_array") and str(type(opened).__module__).startswith("xa")
            in_group = in_group or inside
            opened = opened.get_array() if inside else getattr(opened, "array", None)
        if opened is not None:
            yield opened, in_group


def _unwrapped(data: Any) -> zarr.Array[Any] | None:
    """Return the Zarr array inside known wrappers only."""
    while data is not None:
        name = f"{type(data).__module__}.{type(data).__qualname__}"
        if name == _STORED:
            array = data.get_array()
            return array if isinstance(array, zarr.Array) else None
        if name == _SELECTION:
            if not _selects_all(getattr(data, "key", None)):
                return None
        elif name not in _WRAPPERS or not _is_decoding(getattr(data, "func", None)):
            return None
        data = getattr(data, "array", None)
    return None


def _selects_all(key: Any) -> bool:
    parts = getattr(key, "tuple", None)
    return parts is not None and all(
        isinstance(part, slice) and part == slice(None) for part in parts
    )


def _is_decoding(function: Any) -> bool:
    """Return whether this is a decoding function of Xarray, or None."""
    function = getattr(function, "func", function)  # a partial has a function
    if function is None or function is np.asarray:  # np.asarray decodes `_Unsigned` integers
        return True
    return str(getattr(function, "__module__", "")).startswith("xarray.coding.")


class _Collector:
    """Replaces Xarray's `ArrayWriter`: collects variables and writes nothing."""

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
        Encoded values (a NumPy or Dask array) and the array to write them to, by variable name.

    Notes
    -----
    The argument `writer` of ``Dataset.dump_to_store`` is not documented (Xarray 2026.9).
    """
    from xarray.backends import ZarrStore

    collector = _Collector()
    store = ZarrStore.open_group(
        MemoryStore(objects),
        mode="w",
        zarr_format=zarr_format,
        consolidated=False,
        safe_chunks=False,  # would compare Dask chunks and Zarr chunks, but no task writes these
    )
    dataset.dump_to_store(store, writer=collector)
    return collector.variables
