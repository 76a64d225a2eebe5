"""Translation of single codecs between Zarr format 2 and Zarr format 3."""

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

__all__ = [
    "check_codecs",
    "check_serializer",
    "codec_name",
    "is_v2",
    "metadata_v3",
    "to_v2",
    "to_v3",
]

Config = dict[str, Any]

_CODECS = (CodecV2, ArrayArrayCodec, ArrayBytesCodec, BytesBytesCodec)
_SHUFFLES = ("noshuffle", "shuffle", "bitshuffle")
# Codecs that turn arrays of objects into bytes; both formats use the same names.
_OBJECT_CODECS = ("vlen-utf8", "vlen-bytes")
# Arguments that are dtypes of elements in memory. Zarr format 3 always uses native byte order.
_DTYPES = ("dtype", "astype", "encode_dtype", "decode_dtype")


def is_v2(codec: Any) -> bool:
    """Return whether a codec, or its configuration, belongs to numcodecs (Zarr format 2)."""
    return hasattr(codec, "codec_id") or (isinstance(codec, Mapping) and "id" in codec)


def codec_name(codec: Any) -> Any:
    """Return the name of a codec, or of codec metadata, of either format; None if it has none."""
    if isinstance(codec, Mapping):
        return codec.get("id", codec.get("name"))
    if hasattr(codec, "codec_id"):
        return codec.codec_id
    return codec.to_dict()["name"] if hasattr(codec, "to_dict") else None


def check_codecs(codecs: Iterable[Any], what: str) -> None:
    """Check that every item is a codec, or codec metadata, of either format.

    Parameters
    ----------
    codecs
        Items to check.
    what
        Name of the option or argument in error messages.

    Raises
    ------
    TypeError
        If an item is neither a codec nor codec metadata.
    ValueError
        If no codec has the name in the metadata.
    """
    for codec in codecs:
        name = codec.get("id", codec.get("name")) if isinstance(codec, Mapping) else None
        if isinstance(name, str):
            _check_name(name, is_v2(codec), what)
        elif isinstance(codec, type) or not isinstance(codec, _CODECS):
            raise TypeError(
                f"{what}: {codec!r} is not a codec; give objects of zarr.codecs or numcodecs, or "
                "their metadata: a dict with 'name' and 'configuration' (Zarr format 3), or with "
                "'id' (Zarr format 2)"
            )


def check_serializer(codec: Any, what: str) -> None:
    """Check that a serializer is one codec, or its metadata: a chunk has exactly one.

    Parameters
    ----------
    codec
        Value to check.
    what
        Name of the option in error messages.

    Raises
    ------
    TypeError, ValueError
        If it is several codecs or none, or not a codec; see `check_codecs`.
    """
    if codec is None or isinstance(codec, list | tuple):
        raise TypeError(
            f"{what} must be a codec or 'auto' in Zarr format 3, got {codec!r}; give one codec, or "
            "leave it out to keep that of the source"
        )
    check_codecs((codec,), what)


def _check_name(name: str, in_numcodecs: bool, what: str) -> None:
    if in_numcodecs:
        known = name in numcodecs.registry.codec_registry or name in numcodecs.registry.entries
    else:
        known = _has_class(name)
    if not known:
        library = "numcodecs" if in_numcodecs else "zarr"
        raise ValueError(
            f"{what}: {library} has no codec named {name!r}; correct the name, or install the "
            "package that provides the codec"
        )


def to_v3(codecs: Iterable[Any]) -> Chain:
    """Translate codecs from Zarr format 2 to Zarr format 3.

    Arguments that Zarr sets by the dtype of an array, such as the ``typesize`` of Blosc, are left
    out.

    Parameters
    ----------
    codecs
        Codecs of numcodecs, or their configurations: filters, then perhaps a compressor.

    Raises
    ------
    ValueError
        If Zarr format 3 has no counterpart of a codec, or a codec that works on arrays follows
        one that works on bytes.
    """
    chain = Chain()
    for codec in codecs:
        config = _config_v2(codec)
        name = config.pop("id")
        translated = _translate_v3(name, config)
        chain = _append(chain, translated, name)
    return chain


def _append(chain: Chain, codec: Config, name: str) -> Chain:
    """Append a codec to a chain; a codec that works on arrays cannot follow one on bytes."""
    kind = _class_v3(codec["name"], name)
    if not issubclass(kind, ArrayArrayCodec | ArrayBytesCodec):
        return chain._replace(compressors=(*chain.compressors, codec))
    if chain.serializer is not None or chain.compressors:
        raise ValueError(
            f"codec {name!r} works on arrays and cannot follow a codec that works on bytes in "
            "Zarr format 3; use zarr_format=2, or give the codecs in another order"
        )
    if issubclass(kind, ArrayBytesCodec):
        return chain._replace(serializer=codec)
    return chain._replace(filters=(*chain.filters, codec))


def _config_v2(codec: Any) -> Config:
    """Return the complete configuration of a codec of numcodecs."""
    if hasattr(codec, "codec_id"):
        return dict(codec.get_config())
    return dict(numcodecs.get_codec(dict(codec)).get_config())


def _translate_v3(name: str, config: Config) -> Config:
    """Return the Zarr format 3 metadata of a codec; Zarr may not have a codec of that name."""
    match name:
        case "vlen-utf8" | "vlen-bytes":
            config = {}
        case "blosc":
            shuffle = config.pop("shuffle")
            config.pop("typesize", None)
            if shuffle not in range(-1, len(_SHUFFLES)):
                raise ValueError(f"codec 'blosc' has no shuffle={shuffle!r}; use -1, 0, 1 or 2")
            if shuffle != -1:  # -1: Zarr chooses it by the dtype
                config["shuffle"] = _SHUFFLES[shuffle]
        case "zstd":
            config = {"level": config["level"], "checksum": bool(config.get("checksum", False))}
        case "gzip":
            config = {"level": config["level"]}
        case "crc32c" if config.get("location", "end") == "end":
            config = {}
        case _:
            name = f"numcodecs.{name}"
            config = {key: _native(key, value) for key, value in config.items()}
    return {"name": name, "configuration": config}


def _native(key: str, value: Any) -> Any:
    if key not in _DTYPES or not isinstance(value, str):
        return value
    return np.dtype(value).newbyteorder("<").str


def _class_v3(name: str, name_v2: str) -> type:
    if not _has_class(name):
        raise ValueError(
            f"Zarr format 3 has no counterpart of codec {name_v2!r}; use zarr_format=2, or a "
            "codec that Zarr format 3 has"
        )
    return get_codec_class(name)


def _has_class(name: str) -> bool:
    try:
        get_codec_class(name)
    except (KeyError, UnknownCodecError):  # KeyError before zarr 3.2
        return False
    return True


def metadata_v3(codec: Any) -> Mapping[str, Any]:
    """Return the metadata of a codec of Zarr format 3.

    Parameters
    ----------
    codec
        Codec of `zarr.codecs`, or its metadata.

    Raises
    ------
    ValueError
        If it is a codec of Zarr format 2, as in an array whose metadata are of both formats.
    """
    if is_v2(codec):
        raise ValueError(
            f"codec {codec_name(codec)!r} is one of Zarr format 2 in an array that says it has "
            "format 3; correct its metadata"
        )
    return codec if isinstance(codec, Mapping) else dict(codec.to_dict())


def to_v2(codec: Any) -> Config:
    """Translate a codec from Zarr format 3 to Zarr format 2.

    Parameters
    ----------
    codec
        Codec of `zarr.codecs`, or its metadata.

    Returns
    -------
    dict
        Configuration of a codec of numcodecs.

    Raises
    ------
    ValueError
        If Zarr format 2 has no counterpart of the codec, or it is one of Zarr format 2.
    """
    metadata = metadata_v3(codec)
    name, config = metadata["name"], dict(metadata.get("configuration") or {})
    if name == "blosc":
        config.pop("typesize", None)  # numcodecs takes it from the data it compresses
        shuffle = config.get("shuffle")
        config["shuffle"] = _SHUFFLES.index(shuffle) if shuffle in _SHUFFLES else -1
    elif name.startswith("numcodecs."):
        name = name.removeprefix("numcodecs.")
    elif name not in ("zstd", "gzip", "crc32c", *_OBJECT_CODECS):
        other = "order='F' if it reverses the axes" if name == "transpose" else "another codec"
        raise ValueError(
            f"Zarr format 2 has no counterpart of codec {name!r}; use zarr_format=3, or {other}"
        )
    return dict(numcodecs.get_codec({"id": name, **config}).get_config())
