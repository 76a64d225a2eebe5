"""Workloads: the rechunkings that the benchmarks measure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil, prod
from typing import Any

import numpy as np

__all__ = ["WORKLOADS", "Workload"]


@dataclass(frozen=True)
class Workload:
    """An array to rechunk.

    Parameters
    ----------
    name
        Short name, such as ``"W1"``.
    about
        Description.
    shape
        Shape of the array.
    source, target
        Chunk shapes of the source and the target; of the chunks inside shards where there are any.
    max_mem
        Memory limit per task in bytes.
    dtype
        Data type.
    compressed
        Whether chunks are compressed, with Blosc (LZ4, shuffle).
    source_shards, target_shards
        Shapes of the shards, multiples of the chunk shapes; None without shards.
    stored
        Number of chunks of the source that are stored; 0 for all of them.
    """

    name: str
    about: str
    shape: tuple[int, ...]
    source: tuple[int, ...]
    target: tuple[int, ...]
    max_mem: int
    dtype: str = "float32"
    compressed: bool = True
    source_shards: tuple[int, ...] | None = None
    target_shards: tuple[int, ...] | None = None
    stored: int = 0

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return np.dtype(self.dtype).itemsize

    @property
    def nbytes(self) -> int:
        """Decoded bytes of the array."""
        return self.itemsize * prod(self.shape)

    @property
    def source_unit(self) -> tuple[int, ...]:
        """Shape of a stored object of the source: of a shard, or of a chunk without shards."""
        return self.source_shards or self.source

    @property
    def target_unit(self) -> tuple[int, ...]:
        """Shape of a stored object of the target."""
        return self.target_shards or self.target

    def shrunk(self, divisor: int) -> Workload:
        """Return a smaller workload with the same geometry, for tests rather than for timing.

        Shapes are divided by `divisor` along axes longer than ten, and `max_mem` in proportion,
        but not below the memory that the chunks of one task need. A shard keeps its number of
        chunks.
        """

        def divide(sizes: Sequence[int]) -> tuple[int, ...]:
            return tuple(max(1, size // divisor) if size > 10 else size for size in sizes)

        def shards(chunks: Sequence[int], shards: Sequence[int] | None) -> tuple[int, ...] | None:
            if shards is None:
                return None
            pairs = zip(divide(chunks), chunks, shards, strict=True)
            return tuple(small * (shard // chunk) for small, chunk, shard in pairs)

        small = replace(
            self,
            shape=divide(self.shape),
            source=divide(self.source),
            target=divide(self.target),
            source_shards=shards(self.source, self.source_shards),
            target_shards=shards(self.target, self.target_shards),
        )
        units = self.itemsize * (prod(small.source_unit) + prod(small.target_unit))
        memory = max(4 * units, ceil(self.max_mem * small.nbytes / self.nbytes))
        return replace(small, max_mem=memory) if divisor > 1 else self

    def to_json(self) -> str:
        """Return the workload as text, to be handed to another program."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Workload:
        """Return the workload that `to_json` has turned into text."""
        fields = json.loads(text).items()
        values: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in fields}
        return cls(**values)


_W2 = Workload(
    "W2",
    "single maps to time series",
    (2000, 500, 400),
    (1, 500, 400),
    (2000, 25, 25),
    256 * 10**6,
)
_BOX = (1024, 512, 768)

WORKLOADS = {
    work.name: work
    for work in (
        Workload(
            "W1",
            "maps to time series, large chunks on both sides",
            (2920, 361, 360),
            (40, 361, 360),
            (2920, 10, 10),
            500 * 10**6,
        ),
        _W2,
        Workload("W4", "rows to columns", (20000, 20000), (10, 20000), (20000, 10), 256 * 10**6),
        Workload(
            "W5",
            "small chunks on both sides",
            (1000, 640, 640),
            (1, 160, 160),
            (25, 32, 32),
            256 * 10**6,
        ),
        replace(_W2, name="float64", about="W2 in float64", dtype="float64"),
        replace(_W2, name="raw", about="W2 without compression", compressed=False),
        Workload(
            "to-shards",
            "slabs to shards",
            _BOX,
            (16, 512, 768),
            (256, 32, 32),
            500 * 10**6,
            target_shards=(1024, 128, 128),
        ),
        Workload(
            "from-shards",
            "shards to series",
            _BOX,
            (16, 32, 32),
            (1024, 16, 16),
            500 * 10**6,
            source_shards=(256, 256, 256),
        ),
        Workload(
            "sparse",
            "1,000,000 chunks of which 10 are stored",
            (10_000, 10_000),
            (10, 10),
            (50, 2),
            100 * 10**6,
            stored=10,
        ),
    )
}
