"""A Zarr store that keeps its objects in a mutable mapping."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.buffer import default_buffer_prototype
from zarr.buffer.cpu import Buffer

if TYPE_CHECKING:
    from zarr.abc.buffer import Buffer as AnyBuffer
    from zarr.abc.buffer import BufferPrototype

__all__ = ["MappingStore"]


class MappingStore(Store):
    """Store that keeps its objects in a mutable mapping, as `bytes`.

    Zarr itself accepts no mapping but a `dict` whose values are its own buffers. This store
    accepts any mutable mapping: `collections.UserDict`, the mappings of zict, a shelf, an
    `FSMap`, a `dict` of bytes.

    Parameters
    ----------
    mapping
        Objects by key. Keys are strings such as ``"air/c/0/0"``; values are bytes, buffers of
        Zarr, or other objects with the buffer protocol.
    read_only
        Whether to raise an error on writing and deleting.

    Examples
    --------
    >>> import zarr
    >>> from collections import UserDict
    >>> mapping = UserDict()
    >>> array = zarr.create_array(MappingStore(mapping), shape=(4,), chunks=(2,), dtype="i4")
    >>> array[:] = 7
    >>> sorted(mapping)
    ['c/0', 'c/1', 'zarr.json']
    """

    supports_writes: bool = True
    supports_deletes: bool = True
    supports_listing: bool = True

    def __init__(self, mapping: MutableMapping[str, Any], *, read_only: bool = False) -> None:
        super().__init__(read_only=read_only)
        self.mapping = mapping

    def with_read_only(self, read_only: bool = False) -> MappingStore:
        return type(self)(self.mapping, read_only=read_only)

    def __eq__(self, other: object) -> bool:
        # Mappings with equal content are still different stores.
        return (
            isinstance(other, MappingStore)
            and self.mapping is other.mapping
            and self.read_only == other.read_only
        )

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"mapping://{type(self.mapping).__name__}/{id(self.mapping)}"

    def __repr__(self) -> str:
        return f"MappingStore('{self}')"

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> AnyBuffer | None:
        """Return the object at `key`, or a range of its bytes; None if there is none."""
        try:
            value = self.mapping[key]
        except KeyError:
            return None
        # Zarr may have filled the mapping with its own buffers.
        view = memoryview(value.to_bytes() if isinstance(value, Buffer) else value).cast("B")
        requested = bytes(view[_requested_bytes(len(view), byte_range)])
        return (prototype or default_buffer_prototype()).buffer.from_bytes(requested)

    def set_sync(self, key: str, value: AnyBuffer) -> None:
        """Store `value` at `key`; replace the object that is there."""
        self._check_writable()
        if not isinstance(value, Buffer):
            raise TypeError(f"value must be a zarr.buffer.cpu.Buffer, got {type(value).__name__}")
        self.mapping[key] = value.to_bytes()

    def delete_sync(self, key: str) -> None:
        """Delete the object at `key` if there is one."""
        self._check_writable()
        self.mapping.pop(key, None)

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> AnyBuffer | None:
        return self.get_sync(key, prototype=prototype, byte_range=byte_range)

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[AnyBuffer | None]:
        return [
            self.get_sync(key, prototype=prototype, byte_range=part) for key, part in key_ranges
        ]

    async def exists(self, key: str) -> bool:
        return key in self.mapping

    async def set(self, key: str, value: AnyBuffer) -> None:
        self.set_sync(key, value)

    async def set_if_not_exists(self, key: str, value: AnyBuffer) -> None:
        if key not in self.mapping:
            self.set_sync(key, value)

    async def delete(self, key: str) -> None:
        self.delete_sync(key)

    async def list(self) -> AsyncIterator[str]:
        for key in tuple(self.mapping):
            yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        for key in tuple(self.mapping):
            if key.startswith(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        below = f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""
        inside = (key.removeprefix(below) for key in self.mapping if key.startswith(below))
        for name in {key.split("/")[0] for key in inside}:
            yield name


def _requested_bytes(size: int, request: ByteRequest | None) -> slice:
    """Return the slice of an object of `size` bytes that a request asks for."""
    match request:
        case None:
            return slice(0, size)
        case RangeByteRequest(start, end):
            return slice(start, end)
        case OffsetByteRequest(offset):
            return slice(offset, size)
        case SuffixByteRequest(suffix):
            return slice(max(0, size - suffix), size)
        case _:
            # The store tests of zarr.testing match this message.
            raise TypeError(f"Unexpected byte_range, got {request!r}.")
