"""Reader of Dask arrays: a task computes the blocks that it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from rechunker.copying import Lane, Piece, Reader, trim_heap
from rechunker.planning import Box, Grid, block

__all__ = ["DaskReader", "check_block"]

_LOCK = Lock()


@dataclass(frozen=True, eq=False, repr=False)
class DaskReader(Reader):
    """Computes the blocks of a Dask array one by one, with Dask's synchronous scheduler.

    Only the part of the graph that a block needs is run. What two blocks share is computed for
    each of them.

    Parameters
    ----------
    array
        Dask array. An executor whose engine computes the blocks itself takes them from here.
    holds_futures
        Whether blocks are futures on a cluster, which a task cannot wait for.
    is_large
        Whether blocks are so large that the memory freed after each is returned to the system.
    """

    array: Any
    holds_futures: bool = False
    is_large: bool = False

    def __repr__(self) -> str:
        return f"DaskReader({self.array.name})"

    def __reduce__(self) -> tuple[Callable[..., DaskReader], tuple[Any, ...]]:
        # Graphs hold functions that pickle cannot serialize; Dask depends on cloudpickle.
        import cloudpickle

        return _unpickle, (cloudpickle.dumps(self.array), self.holds_futures, self.is_large)

    @property
    def identity(self) -> str:
        return repr(self)

    @property
    def dtype(self) -> np.dtype[Any]:
        dtype: np.dtype[Any] = self.array.dtype
        return dtype

    @cached_property
    def grid(self) -> Grid:
        """Sizes of the blocks along every axis, without empty blocks."""
        return tuple(tuple(int(n) for n in sizes if n) for sizes in self.array.chunks)

    @cached_property
    def _positions(self) -> tuple[tuple[int, ...], ...]:
        """Positions in Dask's own grid of the blocks that are not empty, along every axis."""
        return tuple(tuple(i for i, n in enumerate(sizes) if n) for sizes in self.array.chunks)

    @cached_property
    def _graph(self) -> tuple[str, Mapping[Any, Any]]:
        import dask

        (array,) = dask.optimize(self.array)
        return array.name, dict(array.__dask_graph__())

    def first_block(self) -> npt.NDArray[Any]:
        """Compute the first block that is not empty; the array must have elements."""
        first = (0,) * len(self.grid)
        unit = block(self.array.shape, self.grid, first)
        return check_block(self._compute(first), unit, self.array)

    def pieces(self, index: tuple[int, ...], box: Box, lane: Lane) -> Iterator[Piece]:
        unit = block(self.array.shape, self.grid, index)
        data = check_block(self._compute(index), unit, self.array)
        lane.count(gets=1, bytes_read=data.nbytes)
        yield unit.start, data
        if self.is_large:
            trim_heap()

    def _compute(self, index: tuple[int, ...]) -> Any:
        import dask
        from dask.optimization import cull

        with _LOCK:  # otherwise each thread of a task would optimize the graph
            name, graph = self._graph
        key = (name, *self.key(index)[1:])
        return dask.get(cull(graph, [key])[0], key)

    def key(self, index: tuple[int, ...]) -> tuple[str | int, ...]:
        """Return the key of a block in the Dask graph.

        Parameters
        ----------
        index
            Position of the block in `grid`.
        """
        axes = zip(self._positions, index, strict=True)
        return (self.array.name, *(positions[i] for positions, i in axes))


def check_block(value: Any, unit: Box, array: Any) -> npt.NDArray[Any]:
    """Check the shape of a computed block, and cast it to the dtype of its array.

    Parameters
    ----------
    value
        Computed block.
    unit
        Box of the block in the array.
    array
        Dask array, or another object with its dtype and a repr for error messages.

    Raises
    ------
    TypeError
        If the block is a masked array.
    ValueError
        If the block does not have the shape of its box.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"a block of {array} is a masked array, which Zarr cannot store; rechunk "
            "dask.array.ma.filled(array, fill_value) instead"
        )
    data = np.asarray(value)
    if data.shape != unit.shape:
        raise ValueError(
            f"a block of {array} has shape {data.shape}, not {unit.shape} as the chunks of the "
            "array say; pass the right chunks where the array is made, as in map_blocks(chunks=...)"
        )
    return data.astype(array.dtype, copy=False)


@lru_cache(maxsize=4)
def _unpickle(array: bytes, holds_futures: bool, is_large: bool) -> DaskReader:
    # Every task of a stage brings the same reader, and optimizing its graph takes time.
    import cloudpickle

    return DaskReader(cloudpickle.loads(array), holds_futures, is_large)
