"""Guards: codecs of Zarr that refuse to decode an object to far more than a chunk."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numcodecs
import numpy as np
import numpy.typing as npt
from numcodecs.abc import Codec as CodecV2
from zarr.abc.codec import ArrayBytesCodec, BytesBytesCodec
from zarr.buffer import cpu
from zarr.codecs import ShardingCodec

from rechunker.copying.codecs.frames import FRAMES, most_decoded
from rechunker.copying.codecs.streams import STREAMS, decode_at_most

__all__ = ["Limit", "guarded"]

# Codecs of elements of variable length: an encoded chunk begins with their number.
_COUNTED = ("vlen-array", "vlen-bytes", "vlen-utf8")
# Codecs of objects that allocate whatever shape an encoded chunk names. Zarr 3 has no arrays of
# objects, so their only place is that of a compressor.
_UNBOUNDED = ("json2", "msgpack2")
# Arguments that are dtypes of decoded and of encoded elements.
_DECODED, _ENCODED = ("decode_dtype", "dtype"), ("encode_dtype", "astype")
# Bytes of a decoded element, and of other decoded bytes for each encoded byte, that are never too
# many: texts of numbers are shorter, and texts of people do not compress as well.
_ELEMENT, _RATIO = 64, 50
# Times the estimated bytes of a string; and bytes of a chunk that are never too many.
_LONGER, _SMALL = 16, 112_000_000


class Limit(NamedTuple):
    """The most that an object may decode to.

    Parameters
    ----------
    elements
        Number of elements of a chunk, or of an inner chunk of a shard.
    nbytes
        Bytes that are never too many.
    ratio
        Other bytes that are not too many for each encoded byte.
    """

    elements: int
    nbytes: int
    ratio: int = 0

    @classmethod
    def of(cls, elements: int, itemsize: int, *, is_variable: bool) -> Limit:
        """Return the limit of chunks.

        Parameters
        ----------
        elements
            Number of elements of a chunk.
        itemsize
            Most bytes of an element on its way through the codecs, or an estimate.
        is_variable
            Whether elements have no fixed size.
        """
        if is_variable:
            return cls(elements, _LONGER * itemsize * elements + _SMALL, _RATIO)
        return cls(elements, max(itemsize, _ELEMENT) * elements + 2**16)

    def most(self, encoded: int) -> int:
        """Return the most bytes that an object of so many encoded bytes may decode to."""
        return self.nbytes + self.ratio * encoded

    def check(self, nbytes: float, encoded: int) -> None:
        """Check the decoded bytes of an object, given its encoded bytes.

        Raises
        ------
        ValueError
            If they are too many.
        """
        if nbytes > self.most(encoded):
            raise ValueError(
                f"the object decodes to {nbytes:.0f} bytes, far more than a chunk of "
                f"{self.elements} elements takes"
            )

    def check_decoding(self, config: Mapping[str, Any], encoded: npt.NDArray[np.uint8]) -> None:
        """Check what can be known of an object before a codec decodes it.

        Raises
        ------
        ValueError
            If it would decode to too many bytes or elements.
        """
        name = config["id"]
        if name in FRAMES:
            self.check(most_decoded(name, encoded), encoded.size)
        elif name in _COUNTED:
            self._check_count(int.from_bytes(encoded[:4].tobytes(), "little"))
        elif name in _UNBOUNDED:
            raise ValueError(f"codec {name!r} is one of objects, and may take any memory")
        else:
            self.check(encoded.size * _growth(config), encoded.size)

    def _check_count(self, count: int) -> None:
        if count > self.elements:
            raise ValueError(f"the object says it has {count} elements, not {self.elements}")


def _growth(config: Mapping[str, Any]) -> float:
    """Return the decoded bytes for an encoded byte of a codec of elements."""
    if config["id"] == "packbits":
        return 8
    decoded = next((config[key] for key in _DECODED if config.get(key)), None)
    encoded = next((config[key] for key in _ENCODED if config.get(key)), decoded)
    if not (isinstance(decoded, str) and isinstance(encoded, str)):
        return 1
    return np.dtype(decoded).itemsize / max(1, np.dtype(encoded).itemsize)


def guarded(metadata: Any, limit: Limit) -> Any:
    """Return metadata of an array whose codecs refuse to decode to more than a limit.

    Parameters
    ----------
    metadata
        Metadata of an array, as Zarr parsed them.
    limit
        Limit of its chunks, or of its inner chunks.
    """
    twin = copy(metadata)  # as Zarr checks metadata only when it makes them
    if metadata.zarr_format == 2:
        compressor, filters = metadata.compressor, metadata.filters
        inside = None if compressor is None else _GuardedV2(compressor, limit)
        object.__setattr__(twin, "compressor", inside)
        if filters:
            object.__setattr__(twin, "filters", tuple(_GuardedV2(f, limit) for f in filters))
        return twin
    object.__setattr__(twin, "codecs", tuple(_guard(codec, limit) for codec in metadata.codecs))
    return twin


def _guard(codec: Any, limit: Limit) -> Any:
    if isinstance(codec, ShardingCodec):
        return replace(codec, codecs=tuple(_guard(c, limit) for c in codec.codecs))
    name = codec.to_dict()["name"].removeprefix("numcodecs.")
    if name in FRAMES or name in STREAMS:
        return _GuardedBytes(codec, limit, name)
    if name in _COUNTED:
        return _GuardedElements(codec, limit, name)
    return codec


@dataclass(frozen=True)
class _Guarded:
    """A codec of Zarr format 3 that is only used to decode.

    Zarr calls the methods whose names begin with an underscore: 3.1.6 the asynchronous ones, 3.4
    the synchronous ones where all codecs have them. All else is as the codec itself has it.
    """

    codec: Any
    limit: Limit
    name: str
    is_fixed_size = False

    def to_dict(self) -> dict[str, Any]:
        return dict(self.codec.to_dict())

    def resolve_metadata(self, chunk_spec: Any) -> Any:
        return self.codec.resolve_metadata(chunk_spec)

    def evolve_from_array_spec(self, array_spec: Any) -> Any:
        return replace(self, codec=self.codec.evolve_from_array_spec(array_spec))

    def compute_encoded_size(self, nbytes: int, chunk_spec: Any) -> int:
        return int(self.codec.compute_encoded_size(nbytes, chunk_spec))

    def _encode_sync(self, chunk_data: Any, chunk_spec: Any) -> Any:
        return self.codec._encode_sync(chunk_data, chunk_spec)

    def _decode_sync(self, chunk_data: Any, chunk_spec: Any) -> Any:
        encoded = _bytes_of(chunk_data)
        if self.name in STREAMS:
            most = self.limit.most(encoded.size)
            return cpu.Buffer.from_bytes(decode_at_most(self._numcodec, encoded, most))
        self.limit.check_decoding({"id": self.name}, encoded)
        return self.codec._decode_sync(chunk_data, chunk_spec)

    async def _decode_single(self, chunk_data: Any, chunk_spec: Any) -> Any:
        if self.name in STREAMS:
            return self._decode_sync(chunk_data, chunk_spec)
        self.limit.check_decoding({"id": self.name}, _bytes_of(chunk_data))
        return await self.codec._decode_single(chunk_data, chunk_spec)

    @property
    def _numcodec(self) -> CodecV2:
        configuration = self.codec.to_dict().get("configuration") or {}
        return numcodecs.get_codec({**configuration, "id": self.name})


class _GuardedBytes(_Guarded, BytesBytesCodec):
    """A codec of bytes."""


class _GuardedElements(_Guarded, ArrayBytesCodec):
    """A codec that turns elements into bytes."""


def _bytes_of(chunk_data: Any) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(chunk_data.as_numpy_array()).view(np.uint8)


class _GuardedV2(CodecV2):  # type: ignore[misc]
    """A codec of numcodecs that refuses to decode to more than a limit.

    Parameters
    ----------
    codec
        The codec.
    limit
        Limit of what it decodes to.
    """

    def __init__(self, codec: CodecV2, limit: Limit) -> None:
        self.codec_id = codec.codec_id
        self.codec, self.limit = codec, limit

    def decode(self, buf: Any, out: Any = None) -> Any:
        """Decode an object, or raise ValueError."""
        encoded = np.frombuffer(np.ascontiguousarray(buf), np.uint8)
        if self.codec_id in STREAMS:
            return decode_at_most(self.codec, encoded, self.limit.most(encoded.size))
        self.limit.check_decoding(self.codec.get_config(), encoded)
        return self.codec.decode(buf)

    def encode(self, buf: Any) -> Any:
        """Encode an object."""
        return self.codec.encode(buf)

    def get_config(self) -> dict[str, Any]:
        """Return the configuration of the codec itself."""
        return dict(self.codec.get_config())
