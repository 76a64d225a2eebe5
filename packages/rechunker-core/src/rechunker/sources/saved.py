"""Saved sources: what is read of one array as JSON has it, and back; without any code."""

from __future__ import annotations

import io
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.storage import StorePath

from rechunker.copying import (
    Reader,
    RegionReader,
    ShardReader,
    StoredArray,
    StoredKeys,
    ZarrReader,
)
from rechunker.planning import Grid
from rechunker.sources.base import SourceArray
from rechunker.sources.numpy_array import NumpyReader
from rechunker.stores import OpenedPlaces, SavedPlaces

__all__ = ["source_from_json", "source_to_json"]

# Bytes of values in memory that are saved, for one array.
_MOST_VALUES = 1 << 24
_FIGURES = ("itemsize", "read_bytes", "unit_bytes", "stored_ratio")


def source_to_json(source: SourceArray, places: SavedPlaces, whose: str) -> dict[str, Any]:
    """Return a source array as JSON has it.

    Parameters
    ----------
    source
        The array.
    places
        Collects the stores.
    whose
        What errors call it.

    Raises
    ------
    ValueError
        If it is not stored in Zarr and too large for a file, or computed by Dask.
    """
    figures = {name: getattr(source, name) for name in _FIGURES}
    reader = _saved_reader(source.reader, places, whose)
    return {"shape": source.shape, "grid": source.grid, **figures, "reader": reader}


def source_from_json(saved: Mapping[str, Any], places: OpenedPlaces) -> SourceArray:
    """Return the source array that `source_to_json` has made JSON of.

    Parameters
    ----------
    saved
        What JSON has kept of it.
    places
        Opens the places.
    """
    grid: Grid = tuple(tuple(n) if isinstance(n, list) else n for n in saved["grid"])
    reader = _opened_reader(saved["reader"], grid, places)
    figures = {name: saved[name] for name in _FIGURES}
    return SourceArray(reader, tuple(saved["shape"]), grid=grid, **figures)


def _saved_reader(reader: Reader, places: SavedPlaces, whose: str) -> dict[str, Any]:
    if isinstance(reader, ZarrReader):
        at_once = reader.at_once if isinstance(reader, ShardReader) else None
        return {**_saved_array(reader.array, places, whose), "at_once": at_once}
    if isinstance(reader, RegionReader):
        place = places.save(reader.array.store_path, whose)
        return {"irregular": place, "digest": reader.digest}
    if isinstance(reader, NumpyReader):
        return {"values": _saved_values(reader.values, whose)}
    raise ValueError(
        f"{whose} is computed by Dask, or read by Xarray from a file that is not Zarr, and a saved "
        "plan holds no code: write it to Zarr first, or call execute()"
    )


def _saved_array(array: StoredArray, places: SavedPlaces, whose: str) -> dict[str, Any]:
    keys = array.stored_keys
    stored = keys and [keys.count, keys.digest, b64encode(keys.bits).decode()]
    return {
        "zarr": places.save(StorePath(array.store, array.path), whose),
        "metadata": array.metadata,
        "itemsize": array.itemsize,
        "digest": array.digest,
        "missing_is_error": array.missing_is_error,
        "stored_keys": stored,
    }


def _saved_values(values: npt.NDArray[Any], whose: str) -> dict[str, Any]:
    if values.nbytes > _MOST_VALUES:
        raise ValueError(
            f"{whose} is in memory, {values.nbytes} bytes of it, and a saved plan holds no more "
            f"than {_MOST_VALUES} bytes of an array; write it to Zarr first, or call execute()"
        )
    if values.dtype.kind in "OT":
        texts = values.reshape(-1).tolist()
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(
                f"{whose} is in memory and holds objects other than strings, which are not saved; "
                "write it to Zarr first, or call execute()"
            )
        return {"texts": texts, "shape": values.shape, "objects": values.dtype.kind == "O"}
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return {"npy": b64encode(file.getvalue()).decode()}


def _opened_reader(saved: Mapping[str, Any], grid: Grid, places: OpenedPlaces) -> Reader:
    if "values" in saved:
        return NumpyReader(_opened_values(saved["values"]), grid)
    if "irregular" in saved:
        irregular = zarr.open_array(places.open(saved["irregular"]), mode="r")
        return RegionReader(irregular, grid, saved["digest"])
    place, keys = places.open(saved["zarr"]), saved["stored_keys"]
    array = StoredArray(
        place.store,
        place.path,
        saved["metadata"],
        saved["itemsize"],
        saved["digest"],
        saved["missing_is_error"],
        keys and StoredKeys(keys[0], keys[1], b64decode(keys[2])),
    )
    at_once = saved["at_once"]
    return ZarrReader(array) if at_once is None else ShardReader(array, at_once)


def _opened_values(saved: Mapping[str, Any]) -> npt.NDArray[Any]:
    if "npy" in saved:
        values: npt.NDArray[Any] = np.load(io.BytesIO(b64decode(saved["npy"])), allow_pickle=False)
        return values
    dtype: Any = object if saved["objects"] else np.dtypes.StringDType()
    return np.array(saved["texts"], dtype).reshape(saved["shape"])
