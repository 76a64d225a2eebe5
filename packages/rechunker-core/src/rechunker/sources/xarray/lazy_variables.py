"""Encodable datasets: Xarray can encode them without loading or computing large variables."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rechunker.sources.dask import DaskReader, dask_source, is_dask_array
from rechunker.sources.xarray.encoding_keys import DECODING_KEYS, ELEMENT_KEYS, REFERENCE_KEYS
from rechunker.sources.xarray.private import is_lazy
from rechunker.sources.xarray.undecoded import UndecodedVariable

if TYPE_CHECKING:
    import xarray

__all__ = ["encodable_dataset"]

# Decoded bytes of a block of a lazily loaded variable, at most; smaller variables are loaded.
_BLOCK_BYTES = 1 << 20
# Xarray's dtype for objects that are strings.
_STRINGS = np.dtype("O", metadata={"element_type": str})


def encodable_dataset(
    dataset: xarray.Dataset,
    encodings: Mapping[str, Mapping[str, Any]],
    undecoded: Mapping[str, UndecodedVariable],
    zarr_format: int,
) -> xarray.Dataset:
    """Return a dataset that Xarray can encode without loading or computing anything large.

    Parameters
    ----------
    dataset
        Source.
    encodings
        Encodings in the target by variable name.
    undecoded
        Variables whose stored values are copied, by name. The result has placeholders for them.
    zarr_format
        Zarr format of the target.
    """
    import xarray

    variables = {}
    for name, variable in dataset.variables.items():
        encoding = dict(encodings[str(name)])
        stored = undecoded.get(str(name))
        if stored is not None:
            variables[name] = _placeholder(variable, encoding, stored)
        else:
            variables[name] = _encodable_variable(variable, encoding, zarr_format)
    return xarray.Dataset(
        {name: variables[name] for name in dataset.data_vars},
        coords=xarray.Coordinates({name: variables[name] for name in dataset.coords}, indexes={}),
        attrs=dataset.attrs,
    )


def _placeholder(
    variable: xarray.Variable, encoding: dict[str, Any], stored: UndecodedVariable
) -> xarray.Variable:
    """Return a variable with the metadata of the stored one, and zeros that take no memory."""
    from xarray import Variable

    attributes = stored.variable.attrs
    decoding = {key: attributes[key] for key in DECODING_KEYS if key in attributes}
    # Keys that Xarray did not use to decode are plain attributes, which the user may have changed.
    attrs = {**decoding, **variable.attrs}
    encoding = {key: value for key, value in encoding.items() if key not in DECODING_KEYS}
    dtype = stored.array.dtype
    if (
        not stored.is_numeric
    ):  # only the attributes are used; element keys would have to fit this dtype
        attrs = {key: attrs[key] for key in attrs if key not in ELEMENT_KEYS}
        encoding = {key: encoding[key] for key in encoding if key in ("chunks", *REFERENCE_KEYS)}
        dtype = np.dtype("u1")
    if "_FillValue" not in attrs:
        encoding["_FillValue"] = None
    values = np.broadcast_to(np.zeros((), dtype), variable.shape)
    return Variable(variable.dims, values, attrs, encoding)


def _encodable_variable(
    variable: xarray.Variable, encoding: dict[str, Any], zarr_format: int
) -> xarray.Variable:
    """Return a variable whose values are in memory or in a Dask array."""
    encodable = variable.to_base_variable().copy(deep=False)
    if is_lazy(encodable):
        small = encodable.nbytes <= _BLOCK_BYTES
        encodable = encodable.load() if small else _in_blocks(encodable)
    if is_dask_array(encodable.data):
        dask_source(encodable.data)  # raises if it cannot be computed block by block
    if getattr(encoding.get("dtype"), "kind", "") == "S" and encodable.dtype.kind in "OUT":
        encodable, encoding = _as_bytes(encodable, encoding)
    if encodable.dtype.kind == "T" and zarr_format == 2:
        # Xarray applies the filter of objects to strings of another dtype (2026.9).
        encoding = {key: encoding[key] for key in encoding if key not in ("dtype", "filters")}
    elif encodable.dtype == object and is_dask_array(encodable.data) and _holds_text(encodable):
        # Otherwise Xarray computes the whole array to find out.
        missing = encoding.get("_FillValue")
        strings = _marked_as_strings(encodable.data, "" if missing is None else missing)
        encodable = encodable.copy(data=strings)
    encodable.encoding = encoding
    return encodable


def _as_bytes(
    variable: xarray.Variable, encoding: dict[str, Any]
) -> tuple[xarray.Variable, dict[str, Any]]:
    """Encode text as bytes of a fixed length; Xarray itself can only encode ASCII."""
    others = {key: value for key, value in encoding.items() if key not in ("dtype", "_Encoding")}
    charset = encoding.get("_Encoding")
    if charset is None or is_dask_array(variable.data) or not _is_text(variable.values):
        return variable, others
    values = np.strings.encode(variable.values.astype(str), charset)
    attrs = {**variable.attrs, "_Encoding": charset}
    padded = values.astype(f"S{max(values.dtype.itemsize, encoding['dtype'].itemsize)}")
    return type(variable)(variable.dims, padded, attrs), others


def _is_text(values: npt.NDArray[Any]) -> bool:
    return all(isinstance(value, str) for value in values.reshape(-1))


def _holds_text(variable: xarray.Variable) -> bool:
    if 0 in variable.shape:
        return True
    return _is_text(DaskReader(variable.data).first_block())


def _marked_as_strings(array: Any, missing: Any) -> Any:
    """Mark objects as strings; astype would change nothing, as both dtypes are object."""
    meta = np.empty((0,) * array.ndim, _STRINGS)
    return array.map_blocks(_as_text, missing, dtype=_STRINGS, meta=meta)


def _as_text(values: npt.NDArray[Any], missing: Any) -> npt.NDArray[Any]:
    """Replace what is missing in a block of strings, as Xarray does where it loads them.

    Raises
    ------
    ValueError
        If the block holds something else.
    """
    if _is_text(values):
        return values
    from xarray import Variable

    dims = [f"axis {axis}" for axis in range(values.ndim)]
    block: Any = Variable(dims, values)
    filled: npt.NDArray[Any] = block.fillna(missing).values
    others = (value for value in filled.reshape(-1) if not isinstance(value, str | bytes))
    for value in others:
        raise ValueError(
            f"among the strings is {value!r}, of type {type(value).__name__}; convert the variable "
            "with astype(str)"
        )
    return filled


def _in_blocks(variable: xarray.Variable) -> xarray.Variable:
    if find_spec("dask") is None:
        raise ModuleNotFoundError(
            "variables that are not loaded are read block by block with Dask, which is not "
            "installed: pip install rechunker-core[xarray]",
            name="dask",
        )
    return variable.chunk(_block_shape(variable))


def _block_shape(variable: xarray.Variable) -> dict[Any, int]:
    """Return blocks of whole chunks if there are chunks, as long as possible on the last axes."""
    chunks = variable.encoding.get("preferred_chunks") or {}
    sizes = [chunks.get(dim, 1) for dim in variable.dims]
    unit = [
        size if isinstance(size, int) and size > 0 else n
        for size, n in zip(sizes, variable.shape, strict=True)
    ]
    room = max(1, _BLOCK_BYTES // (variable.dtype.itemsize * prod(unit)))
    for axis in reversed(range(variable.ndim)):
        units = -(-variable.shape[axis] // unit[axis])
        times = min(room, units)
        unit[axis] *= times
        room //= times
    return dict(zip(variable.dims, unit, strict=True))
