"""The encodings of a dataset's variables in the target: those they have, updated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numcodecs

from rechunker.metadata import check_codecs, is_v2, normalize_shards, to_v2, to_v3

if TYPE_CHECKING:
    import xarray

__all__ = ["target_encoding"]

_CODECS = ("filters", "serializer", "compressors")


def target_encoding(
    variable: xarray.Variable,
    chunks: tuple[int, ...],
    options: Mapping[str, Any],
    zarr_format: int,
    where: str,
) -> dict[str, Any]:
    """Return how a variable is to be encoded.

    Parameters
    ----------
    variable
        With the encoding that it has now.
    chunks
        In the target.
    options
        What is to differ, in words of xarray.
    zarr_format
        Of the target.
    where
        What to call the options in errors.

    Raises
    ------
    TypeError, ValueError
        If codecs are none, or have no counterpart in the format.
    """
    encoding = dict(variable.encoding)
    stored = "chunks" in encoding or "original_shape" in encoding or "source" in encoding
    if stored and "_FillValue" not in variable.attrs and _is_real(variable, encoding):
        # What has no fill value in a file need not get the one that xarray gives new variables.
        encoding.setdefault("_FillValue", None)
    kept = encoding.get("shards") if tuple(encoding.get("chunks") or ()) == chunks else None
    for word in ("chunks", "shards", "preferred_chunks", "chunksizes"):
        encoding.pop(word, None)
    if kept is not None and zarr_format == 3:
        encoding["shards"] = kept
    encoding = _in_format(encoding, zarr_format)
    encoding.update(_translated(options, zarr_format, where))
    shards = options.get("shards")
    if shards is not None:
        dims = tuple(map(str, variable.dims))
        encoding["shards"] = normalize_shards(
            shards, chunks, variable.shape, dims, what=f"{where}['shards']"
        )
    return {**encoding, "chunks": chunks}


def _is_real(variable: xarray.Variable, encoding: Mapping[str, Any]) -> bool:
    return "fc".find(getattr(encoding.get("dtype", variable.dtype), "kind", "O")) >= 0


def _in_format(encoding: dict[str, Any], zarr_format: int) -> dict[str, Any]:
    """Translate the codecs of a variable that comes from an array of the other format."""
    if "compressors" not in encoding or zarr_format == (3 if "serializer" in encoding else 2):
        return encoding
    others = {word: value for word, value in encoding.items() if word not in _CODECS}
    others.pop("chunk_key_encoding", None)
    others.pop("fill_value", None)
    codecs = [c for word in ("filters", "compressors") for c in _listed(encoding.get(word))]
    # What encodes strings is the business of xarray, which may store them otherwise.
    codecs = [codec for codec in codecs if getattr(codec, "codec_id", "") not in _OF_OBJECTS]
    if zarr_format == 2:
        return {**others, **_codecs_v2(codecs)}
    chain = to_v3(codecs)
    return {**others, "filters": chain.filters, "compressors": chain.compressors}


_OF_OBJECTS = ("vlen-utf8", "vlen-bytes")


def _codecs_v2(codecs: list[Any]) -> dict[str, Any]:
    objects = [numcodecs.get_codec(to_v2(codec)) for codec in codecs]
    return {"filters": tuple(objects[:-1]), "compressors": tuple(objects[-1:])}


def _translated(options: Mapping[str, Any], zarr_format: int, where: str) -> dict[str, Any]:
    """Put codecs that a user names in the words of one format into those of the other."""
    words = dict(options)
    for word in _CODECS:
        given = words.get(word)
        if given is None or isinstance(given, str):
            continue
        check_codecs(_listed(given), f"{where}[{word!r}]")
        codecs = [_one(codec, zarr_format) for codec in _listed(given)]
        words[word] = codecs[0] if word == "serializer" else tuple(codecs)
    return words


def _one(codec: Any, zarr_format: int) -> Any:
    if zarr_format == 2:
        config = codec if is_v2(codec) else to_v2(codec)
        return config if hasattr(config, "codec_id") else numcodecs.get_codec(dict(config))
    if not is_v2(codec):
        return codec
    chain = to_v3([codec])
    (translated,) = [*chain.filters, *chain.compressors, *filter(None, [chain.serializer])]
    return translated


def _listed(codecs: Any) -> list[Any]:
    if codecs is None:
        return []
    return list(codecs) if isinstance(codecs, list | tuple) else [codecs]
