"""Metadata documents: what Zarr stores to describe an array, as JSON-like dictionaries."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import zarr
from zarr.buffer import default_buffer_prototype
from zarr.errors import UnstableSpecificationWarning, ZarrUserWarning
from zarr.storage import StorePath

from rechunker.stores import read_json

__all__ = ["Document", "array_from_document", "document_of", "metadata_files", "quiet"]

Document = dict[str, Any]


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what Zarr says about dtypes and codecs that v3 does not specify yet.

    A copy has those of its source, so this is nothing that its user could change.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnstableSpecificationWarning)
        # zarr 3.1 warns of the codecs of numcodecs.
        warnings.filterwarnings("ignore", "Numcodecs codecs are not in", ZarrUserWarning)
        yield


def document_of(array: zarr.Array[Any]) -> Document:
    """Return the metadata of an array.

    Parameters
    ----------
    array
        Of either format.

    Returns
    -------
    dict
        In v3 the content of ``zarr.json``; in v2 that of ``.zarray``, with that of ``.zattrs``
        as "attributes". Keys of v2 metadata that Zarr does not know are read from the store.
    """
    document = _as_stored(array)
    if document["zarr_format"] == 2:
        return {**_unknown_keys(array, document), **document}
    return {**document, "fill_value": _spell_nan(array.metadata.fill_value, document["fill_value"])}


def _as_stored(array: zarr.Array[Any]) -> Document:
    """Return what Zarr itself would store, which is less than it has read."""
    files = {key: json.loads(text) for key, text in _files_of(array).items()}
    if "zarr.json" in files:
        return dict(files["zarr.json"])
    return {**files[".zarray"], "attributes": files.get(".zattrs", {})}


def _files_of(array: zarr.Array[Any]) -> dict[str, bytes]:
    # An array with an irregular grid, once opened, is a source whatever the setting is now.
    irregular = {"array.rectilinear_chunks": True} if _is_irregular(array) else {}
    with quiet(), zarr.config.set(irregular):
        buffers = array.metadata.to_buffer_dict(default_buffer_prototype())
    return {key: buffer.to_bytes() for key, buffer in buffers.items()}


def _is_irregular(array: zarr.Array[Any]) -> bool:
    grid = getattr(array.metadata, "chunk_grid", None) if array.metadata.zarr_format == 3 else None
    return hasattr(grid, "chunk_shapes")


def _unknown_keys(array: zarr.Array[Any], document: Document) -> Document:
    """Return what other programs, such as NCZarr, keep in ``.zarray``."""
    stored = read_json(array.store_path / ".zarray")
    return {key: value for key, value in stored.items() if key not in document}


def _spell_nan(value: Any, spelled: Any) -> Any:
    """Spell a NaN by its bits where they are not the usual ones; Zarr reads but does not write it.

    Parameters
    ----------
    value
        A fill value.
    spelled
        As Zarr writes it to v3 metadata.
    """
    scalar = np.asarray(value)
    if scalar.dtype.kind == "c" and isinstance(spelled, list):
        return [_spell_nan(*pair) for pair in zip((scalar.real, scalar.imag), spelled, strict=True)]
    if scalar.dtype.kind != "f" or spelled != "NaN":
        return spelled
    bits = scalar.astype(scalar.dtype.newbyteorder(">")).tobytes().hex()
    usual = np.array(np.nan, scalar.dtype.newbyteorder(">")).tobytes().hex()
    return spelled if bits == usual else f"0x{bits}"


def array_from_document(path: StorePath, document: Mapping[str, Any]) -> zarr.Array[Any]:
    """Return an array as if it were stored; nothing is written.

    Parameters
    ----------
    path
        Where its chunks are.
    document
        Its metadata.

    Raises
    ------
    ValueError, TypeError
        If the metadata does not describe an array.
    """
    with quiet():
        return zarr.Array.from_dict(path, json.loads(json.dumps(document)))


def metadata_files(path: StorePath, document: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the objects that make chunks at a place an array.

    Parameters
    ----------
    path
        Where the array is.
    document
        Its metadata.

    Returns
    -------
    dict
        Keys relative to `path`, and the bytes that Zarr itself would write, but for what it
        would lose: the bits of a NaN, and keys of v2 metadata that it does not know.
    """
    files = _files_of(array_from_document(path, document))
    name = "zarr.json" if "zarr.json" in files else ".zarray"
    written = json.loads(files[name])
    lost = _lost(document, written)
    if lost:
        indent = zarr.config.get("json_indent")
        files[name] = json.dumps({**written, **lost}, indent=indent).encode()
    return files


def _lost(document: Mapping[str, Any], written: Document) -> Document:
    """Return what Zarr leaves out, or spells in another way, that has a meaning."""
    if document["zarr_format"] == 2:
        return {key: document[key] for key in document if key not in (*written, "attributes")}
    fill_value = document["fill_value"]
    parts = fill_value if isinstance(fill_value, list) else [fill_value]
    has_bits = any(isinstance(part, str) and part.startswith("0x") for part in parts)
    return {"fill_value": fill_value} if has_bits else {}
