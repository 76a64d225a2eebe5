"""Variables as they are handed to xarray to be encoded: raw, in memory, or block by block."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rechunker.sources.dask import DaskReader, dask_source, is_dask_array
from rechunker.sources.xarray.private import is_lazy
from rechunker.sources.xarray.raw import Raw
from rechunker.sources.xarray.words import CF_WORDS, OF_ELEMENTS, RELATED

if TYPE_CHECKING:
    import xarray

__all__ = ["prepared"]

# A variable that is not loaded is read in blocks of at most so many decoded bytes.
_BLOCK = 1 << 20
_TEXT = np.dtype("O", metadata={"element_type": str})


def prepared(
    dataset: xarray.Dataset,
    encodings: Mapping[str, Mapping[str, Any]],
    raws: Mapping[str, Raw],
    zarr_format: int,
) -> xarray.Dataset:
    """Return a dataset that xarray can encode without loading or computing anything large.

    Parameters
    ----------
    dataset
        The source.
    encodings
        How its variables are to be encoded.
    raws
        Those whose stored numbers are copied; here there are other numbers in their place.
    zarr_format
        Of the target.
    """
    import xarray

    variables = {}
    for name, variable in dataset.variables.items():
        encoding = dict(encodings[str(name)])
        raw = raws.get(str(name))
        if raw is not None:
            variables[name] = _stand_in(variable, encoding, raw)
        else:
            variables[name] = _encodable(variable, encoding, zarr_format)
    return xarray.Dataset(
        {name: variables[name] for name in dataset.data_vars},
        coords=xarray.Coordinates({name: variables[name] for name in dataset.coords}, indexes={}),
        attrs=dataset.attrs,
    )


def _stand_in(variable: xarray.Variable, encoding: dict[str, Any], raw: Raw) -> xarray.Variable:
    """Return a variable like the stored one, with elements that take no memory."""
    from xarray import Variable

    stored = {word: raw.variable.attrs[word] for word in CF_WORDS if word in raw.variable.attrs}
    # Words that xarray has not used for decoding are plain attributes, which may have changed.
    attrs = {**stored, **variable.attrs}
    kept = {word: value for word, value in encoding.items() if word not in CF_WORDS}
    dtype = raw.array.dtype
    if not raw.is_plain:  # only attributes are of use, and these are not for any dtype
        attrs = {word: attrs[word] for word in attrs if word not in OF_ELEMENTS}
        kept = {word: kept[word] for word in kept if word in ("chunks", *RELATED)}
        dtype = np.dtype("u1")
    if "_FillValue" not in attrs:
        kept["_FillValue"] = None
    values = np.broadcast_to(np.zeros((), dtype), variable.shape)
    return Variable(variable.dims, values, attrs, kept)


def _encodable(
    variable: xarray.Variable, encoding: dict[str, Any], zarr_format: int
) -> xarray.Variable:
    """Return a variable in memory, or in blocks of dask."""
    found = variable.to_base_variable().copy(deep=False)
    if is_lazy(found):
        found = found.load() if found.nbytes <= _BLOCK else _in_blocks(found)
    if is_dask_array(found.data):
        dask_source(found.data)  # what cannot be computed block by block is refused
    if getattr(encoding.get("dtype"), "kind", "") == "S" and found.dtype.kind in "OUT":
        found, encoding = _as_bytes(found, encoding)
    if found.dtype.kind == "T" and zarr_format == 2:
        # xarray cannot encode strings of numpy in v2 (2026.9)
        found = found.astype(_TEXT)
        encoding = {word: encoding[word] for word in encoding if word not in ("dtype", "filters")}
    elif found.dtype == object and is_dask_array(found.data) and _holds_text(found):
        # xarray would compute everything to find that out
        found = found.copy(data=_marked(found.data))
    found.encoding = encoding
    return found


def _as_bytes(
    variable: xarray.Variable, encoding: dict[str, Any]
) -> tuple[xarray.Variable, dict[str, Any]]:
    """Turn text, stored as bytes of a fixed number, into those; xarray can only write ASCII."""
    how = {word: value for word, value in encoding.items() if word not in ("dtype", "_Encoding")}
    name = encoding.get("_Encoding")
    if name is None or is_dask_array(variable.data) or not _is_text(variable.values):
        return variable, how
    values = np.strings.encode(variable.values.astype(str), name)
    attrs = {**variable.attrs, "_Encoding": name}
    wide = values.astype(f"S{max(values.dtype.itemsize, encoding['dtype'].itemsize)}")
    return type(variable)(variable.dims, wide, attrs), how


def _is_text(values: npt.NDArray[Any]) -> bool:
    return all(isinstance(value, str) for value in values.reshape(-1))


def _holds_text(variable: xarray.Variable) -> bool:
    if 0 in variable.shape:
        return True
    return _is_text(DaskReader(variable.data).first_block())


def _marked(array: Any) -> Any:
    """Mark objects as strings; astype changes nothing between two dtypes of objects."""
    return array.map_blocks(_unchanged, dtype=_TEXT, meta=np.empty((0,) * array.ndim, _TEXT))


def _unchanged(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values


def _in_blocks(variable: xarray.Variable) -> xarray.Variable:
    if find_spec("dask") is None:
        raise ModuleNotFoundError(
            "variables that are not loaded are read block by block with dask: "
            "pip install rechunker-core[xarray]",
            name="dask",
        )
    return variable.chunk(_blocks(variable))


def _blocks(variable: xarray.Variable) -> dict[Any, int]:
    """Return blocks of whole chunks where there are chunks, as long as possible at the end."""
    chunks = variable.encoding.get("preferred_chunks") or {}
    sizes = [chunks.get(dim, 1) for dim in variable.dims]
    unit = [
        size if isinstance(size, int) and size > 0 else n
        for size, n in zip(sizes, variable.shape, strict=True)
    ]
    room = max(1, _BLOCK // (variable.dtype.itemsize * prod(unit)))
    for axis in reversed(range(variable.ndim)):
        whole = -(-variable.shape[axis] // unit[axis])
        times = min(room, whole)
        unit[axis] *= times
        room //= times
    return dict(zip(variable.dims, unit, strict=True))
