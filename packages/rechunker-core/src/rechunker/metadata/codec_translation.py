"""Turning codecs of one Zarr format into codecs of the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numcodecs
import numpy as np
from numcodecs.abc import Codec as CodecV2
from zarr.abc.codec import ArrayArrayCodec, ArrayBytesCodec, BytesBytesCodec
from zarr.errors import UnknownCodecError
from zarr.registry import get_codec_class

from rechunker.metadata.codec_chain import Chain

__all__ = ["check_codecs", "codec_name", "is_v2", "to_v2", "to_v3"]

Config = dict[str, Any]

_CODECS = (CodecV2, ArrayArrayCodec, ArrayBytesCodec, BytesBytesCodec)
_SHUFFLES = ("noshuffle", "shuffle", "bitshuffle")
# Codecs that turn an array of objects into bytes have one name in both formats.
_OBJECT_CODECS = ("vlen-utf8", "vlen-bytes")
# Arguments that are dtypes of elements in memory, which v3 holds in native byte order.
_DTYPES = ("dtype", "astype", "encode_dtype", "decode_dtype")


def is_v2(codec: Any) -> bool:
    """Say whether a codec, or its configuration, is one of numcodecs: a codec of v2."""
    return hasattr(codec, "codec_id") or (isinstance(codec, Mapping) and "id" in codec)


def codec_name(codec: Any) -> Any:
    """Return the name of a codec of either format, or of its configuration; None if it has none."""
    if isinstance(codec, Mapping):
        return codec.get("id", codec.get("name"))
    if hasattr(codec, "codec_id"):
        return codec.codec_id
    return codec.to_dict()["name"] if hasattr(codec, "to_dict") else None


def check_codecs(codecs: Iterable[Any], what: str) -> None:
    """Check that codecs are codecs, of either format.

    Parameters
    ----------
    codecs
        As a user gave them.
    what
        What to call them in errors.

    Raises
    ------
    TypeError
        If something else is among them.
    ValueError
        If there is no codec of that name.
    """
    for codec in codecs:
        name = codec.get("id", codec.get("name")) if isinstance(codec, Mapping) else None
        if isinstance(name, str):
            _check_name(name, is_v2(codec), what)
        elif isinstance(codec, type) or not isinstance(codec, _CODECS):
            raise TypeError(
                f"{what}: {codec!r} is not a codec; give objects of zarr.codecs or numcodecs, or "
                "their metadata: a dict with 'name' and 'configuration' (v3), or with 'id' (v2)"
            )


def _check_name(name: str, of_numcodecs: bool, what: str) -> None:
    if of_numcodecs:
        known = name in numcodecs.registry.codec_registry or name in numcodecs.registry.entries
    else:
        known = _has_class(name)
    if not known:
        where = "numcodecs" if of_numcodecs else "zarr"
        raise ValueError(f"{what}: {where} has no codec of the name {name!r}")


def to_v3(codecs: Iterable[Any]) -> Chain:
    """Translate a sequence of v2 codecs: filters, and perhaps a compressor, in their order.

    Arguments that zarr sets by the dtype of an array, such as Blosc's size of an element, are
    left to it.

    Parameters
    ----------
    codecs
        Codecs of numcodecs, or their configurations.

    Raises
    ------
    ValueError
        If v3 has no such codec, or one that works on arrays comes after one that works on bytes.
    """
    chain = Chain()
    for codec in codecs:
        config = _config_v2(codec)
        name = config.pop("id")
        translated = _translate_v3(name, config)
        chain = _append(chain, translated, name)
    return chain


def _append(chain: Chain, codec: Config, name: str) -> Chain:
    """Add a codec behind the others, which must leave it what it expects."""
    kind = _class_v3(codec["name"], name)
    if not issubclass(kind, ArrayArrayCodec | ArrayBytesCodec):
        return chain._replace(compressors=(*chain.compressors, codec))
    if chain.serializer is not None or chain.compressors:
        raise ValueError(f"{name!r} works on arrays, so in v3 it cannot follow one on bytes")
    if issubclass(kind, ArrayBytesCodec):
        return chain._replace(serializer=codec)
    return chain._replace(filters=(*chain.filters, codec))


def _config_v2(codec: Any) -> Config:
    """Return the configuration of a v2 codec with all its arguments."""
    if hasattr(codec, "codec_id"):
        return dict(codec.get_config())
    return dict(numcodecs.get_codec(dict(codec)).get_config())


def _translate_v3(name: str, given: Config) -> Config:
    """Return the v3 metadata for a v2 codec; there may be no such codec."""
    match name:
        case "vlen-utf8" | "vlen-bytes":
            given = {}
        case "blosc":
            shuffle = given.pop("shuffle")
            given.pop("typesize", None)
            if shuffle != -1:  # chosen by the dtype
                given["shuffle"] = _SHUFFLES[shuffle]
        case "zstd":
            given = {"level": given["level"], "checksum": bool(given.get("checksum", False))}
        case "gzip":
            given = {"level": given["level"]}
        case "crc32c" if given.get("location", "end") == "end":
            given = {}
        case _:
            name = f"numcodecs.{name}"
            given = {key: _native(key, value) for key, value in given.items()}
    return {"name": name, "configuration": given}


def _native(key: str, value: Any) -> Any:
    if key not in _DTYPES or not isinstance(value, str):
        return value
    return np.dtype(value).newbyteorder("<").str


def _class_v3(name: str, name_v2: str) -> type:
    if not _has_class(name):
        raise ValueError(f"Zarr format 3 has no counterpart of codec {name_v2!r}")
    return get_codec_class(name)


def _has_class(name: str) -> bool:
    try:
        get_codec_class(name)
    except (KeyError, UnknownCodecError):  # the former before zarr 3.2
        return False
    return True


def to_v2(codec: Any) -> Config:
    """Translate a v3 codec.

    Parameters
    ----------
    codec
        A codec of `zarr.codecs`, or its metadata.

    Returns
    -------
    dict
        The configuration of a codec of numcodecs.

    Raises
    ------
    ValueError
        If v2 has no such codec.
    """
    metadata: Mapping[str, Any] = codec if isinstance(codec, Mapping) else codec.to_dict()
    name, given = metadata["name"], dict(metadata.get("configuration") or {})
    if name == "blosc":
        given.pop("typesize", None)  # numcodecs takes it from what it compresses
        shuffle = given.get("shuffle")
        given["shuffle"] = _SHUFFLES.index(shuffle) if shuffle in _SHUFFLES else -1
    elif name.startswith("numcodecs."):
        name = name.removeprefix("numcodecs.")
    elif name not in ("zstd", "gzip", "crc32c", *_OBJECT_CODECS):
        hint = "; give order='F' if it reverses the axes" if name == "transpose" else ""
        raise ValueError(f"Zarr format 2 has no counterpart of codec {name!r}{hint}")
    return dict(numcodecs.get_codec({"id": name, **given}).get_config())
