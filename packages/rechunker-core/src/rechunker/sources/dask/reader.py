"""Reads blocks of dask arrays, each computed in the task that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from rechunker.copying import Lane, Piece, Reader
from rechunker.planning import Box, Grid, block
from rechunker.sources.dask.heap import give_back

__all__ = ["DaskReader", "check_block"]

_LOCK = Lock()


@dataclass(frozen=True, eq=False, repr=False)
class DaskReader(Reader):
    """Computes the blocks of a dask array one by one, with dask's synchronous scheduler.

    Of the graph only what a block needs is run. What two blocks have in common is computed for
    each of them.

    Parameters
    ----------
    array
        The array. An executor that has the blocks computed by its own engine finds them here.
    holds_futures
        Whether blocks are futures on a cluster, where no task can wait for them.
    is_large
        Whether computing a block leaves so much freed memory behind that it should be given back.
    """

    array: Any
    holds_futures: bool = False
    is_large: bool = False

    def __repr__(self) -> str:
        return f"DaskReader({self.array.name})"

    def __reduce__(self) -> tuple[Callable[..., DaskReader], tuple[Any, ...]]:
        # Graphs hold functions that pickle cannot send; cloudpickle comes with dask.
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
        """Sizes of the blocks; those without elements are left out."""
        return tuple(tuple(int(n) for n in sizes if n) for sizes in self.array.chunks)

    @cached_property
    def _positions(self) -> tuple[tuple[int, ...], ...]:
        """Positions in the array's own grid of the blocks that have elements, by axis."""
        return tuple(tuple(i for i, n in enumerate(sizes) if n) for sizes in self.array.chunks)

    @cached_property
    def _graph(self) -> tuple[str, Mapping[Any, Any]]:
        import dask

        (array,) = dask.optimize(self.array)
        return array.name, dict(array.__dask_graph__())

    def first_block(self) -> npt.NDArray[Any]:
        """Compute the first block of an array that has elements."""
        first = (0,) * len(self.grid)
        unit = block(self.array.shape, self.grid, first)
        return check_block(self._compute(first), unit, self.array)

    def pieces(self, index: tuple[int, ...], box: Box, lane: Lane) -> Iterator[Piece]:
        unit = block(self.array.shape, self.grid, index)
        data = check_block(self._compute(index), unit, self.array)
        lane.count(gets=1, bytes_read=data.nbytes)
        yield unit.start, data
        if self.is_large:
            give_back()

    def _compute(self, index: tuple[int, ...]) -> Any:
        import dask
        from dask.optimization import cull

        with _LOCK:  # so that the threads of a task do not all put the graph together
            name, graph = self._graph
        key = (name, *self.key(index)[1:])
        return dask.get(cull(graph, [key])[0], key)

    def key(self, index: tuple[int, ...]) -> tuple[str | int, ...]:
        """Return the key that dask knows a block by."""
        axes = zip(self._positions, index, strict=True)
        return (self.array.name, *(positions[i] for positions, i in axes))


def check_block(value: Any, unit: Box, array: Any) -> npt.NDArray[Any]:
    """Check the shape of a computed block, and cast it to the dtype of its array.

    Parameters
    ----------
    value
        What was computed.
    unit
        Where the block lies.
    array
        A dask array, or whatever tells its dtype.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"a block of {array} is a masked array, and Zarr has no masks; rechunk "
            "dask.array.ma.filled(array, fill_value) instead"
        )
    data = np.asarray(value)
    if data.shape != unit.shape:
        raise ValueError(
            f"a block of {array} has shape {data.shape}, not {unit.shape} as its chunks "
            "say; give the right chunks where the array is made (map_blocks(chunks=...))"
        )
    return data.astype(array.dtype, copy=False)


@lru_cache(maxsize=4)
def _unpickle(array: bytes, holds_futures: bool, is_large: bool) -> DaskReader:
    # A worker gets the same reader with each task, and putting its graph together takes a while.
    import cloudpickle

    return DaskReader(cloudpickle.loads(array), holds_futures, is_large)
