"""Metadata objects: what is stored of a document, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import zarr
from zarr.abc.buffer import Buffer
from zarr.storage import MemoryStore

from rechunker.metadata.document import Document, apart, array_from_document, files_of

__all__ = ["group_files", "metadata_files"]


def metadata_files(document: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the metadata objects of an array: ``zarr.json``, or ``.zarray`` and ``.zattrs``.

    Parameters
    ----------
    document
        Metadata of an array.

    Returns
    -------
    dict
        Contents by key, relative to the array: the bytes that Zarr would write, except for what
        it would lose: the bits of a NaN, and what the document says in the words of others.

    Raises
    ------
    ValueError, TypeError
        If the document does not describe an array.
    """
    attributes, text = apart(document)
    files = dict(_files_without_attributes(text, zarr.config.get("json_indent")))
    if "zarr.json" in files:
        files["zarr.json"] = _as_json({**json.loads(files["zarr.json"]), "attributes": attributes})
    else:
        files[".zattrs"] = _as_json(attributes)
    return files


@lru_cache(maxsize=64)
def _files_without_attributes(text: str, indent: int | None) -> Mapping[str, bytes]:
    """Return the metadata objects of a document without attributes; not to be changed."""
    document = json.loads(text)
    files = files_of(array_from_document(document))
    name = "zarr.json" if "zarr.json" in files else ".zarray"
    written = json.loads(files[name])
    lost = _lost(document, written)
    if lost:
        files[name] = _as_json({**written, **lost})
    return files


def group_files(document: Mapping[str, Any], zarr_format: Literal[2, 3]) -> dict[str, bytes]:
    """Return the metadata objects of a group: ``zarr.json``, or ``.zgroup`` and ``.zattrs``.

    Parameters
    ----------
    document
        Metadata of a group, of either format: its attributes, and perhaps keys of other programs,
        which only its own format can keep.
    zarr_format
        Zarr format of the objects.
    """
    objects: dict[str, Buffer] = {}
    attributes = document["attributes"]
    zarr.create_group(MemoryStore(objects), attributes=attributes, zarr_format=zarr_format)
    files = {key: value.to_bytes() for key, value in objects.items()}
    if document["zarr_format"] != zarr_format:
        return files
    name = "zarr.json" if zarr_format == 3 else ".zgroup"
    written = json.loads(files[name])
    others = {key: document[key] for key in document if key not in (*written, "attributes")}
    return {**files, name: _as_json({**written, **others})} if others else files


def _as_json(document: Document) -> bytes:
    return json.dumps(document, indent=zarr.config.get("json_indent")).encode()


def _lost(document: Mapping[str, Any], written: Document) -> Document:
    """Return meaningful keys that Zarr leaves out or spells in another way."""
    if document["zarr_format"] == 2:
        own = json.loads(json.dumps({**document, "attributes": None}))
        return {key: own[key] for key in own if own[key] != written.get(key)}
    fill_value = document["fill_value"]
    parts = fill_value if isinstance(fill_value, list) else [fill_value]
    has_bits = any(isinstance(part, str) and part.startswith("0x") for part in parts)
    return {"fill_value": fill_value} if has_bits else {}
