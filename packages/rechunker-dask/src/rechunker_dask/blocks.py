"""Blocks of a Dask array that are futures on a cluster and reach the tasks through Dask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rechunker.copying import CopyWork, Lane, Piece, Reader
from rechunker.planning import Box, Grid, block, blocks_meeting, task_box
from rechunker.sources import DaskReader, check_block
from rechunker.types import Stage

__all__ = ["BlockReader", "HeldBlocks", "with_blocks"]

Index = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class BlockReader(Reader):
    """Read blocks that are already in this process.

    Parameters
    ----------
    shape
        Shape of the array in elements.
    sizes
        Sizes of its blocks along every axis.
    kind
        Dtype of the array.
    blocks
        Computed blocks that one task reads, by block index; empty until `with_blocks` sets them.
    """

    shape: tuple[int, ...]
    sizes: Grid
    kind: np.dtype[Any]
    blocks: Mapping[Index, Any]

    @property
    def grid(self) -> Grid:
        return self.sizes

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.kind

    @property
    def identity(self) -> str:
        return repr(self)

    def pieces(self, index: Index, box: Box, lane: Lane) -> Iterator[Piece]:
        unit = block(self.shape, self.grid, index)
        data = check_block(self.blocks[index], unit, self)
        lane.count(gets=1, bytes_read=data.nbytes)
        yield unit.start, data


@dataclass(frozen=True)
class HeldBlocks:
    """A stage whose source is a Dask array with blocks held by a cluster.

    Parameters
    ----------
    stage
        The stage.
    work
        Work of the stage, as `CopyWork`.
    reader
        Reader of the work, as `DaskReader`.
    """

    stage: Stage
    work: CopyWork
    reader: DaskReader

    @classmethod
    def of(cls, stage: Stage) -> HeldBlocks | None:
        """Return the held blocks of a stage, or None if it reads no futures.

        Parameters
        ----------
        stage
            Any stage of a copy spec.
        """
        work = stage.work
        if not isinstance(work, CopyWork) or not isinstance(work.reader, DaskReader):
            return None
        return cls(stage, work, work.reader) if work.reader.holds_futures else None

    @property
    def graph(self) -> Any:
        """Dask graph of the array."""
        return self.reader.array.__dask_graph__()

    def needs(self, task: int) -> dict[Index, tuple[str | int, ...]]:
        """Return the Dask keys of the blocks that a task reads, by block index.

        Parameters
        ----------
        task
            Number of the task.
        """
        shape, grid = self.work.shape, self.reader.grid
        box = task_box(shape, self.work.grid, task)
        return {index: self.reader.key(index) for index in blocks_meeting(shape, grid, box)}

    def without_array(self) -> Stage:
        """Return the stage without the Dask array, ready to be sent to workers."""
        reader = BlockReader(self.work.shape, self.reader.grid, self.reader.dtype, {})
        return replace(self.stage, work=replace(self.work, reader=reader))


def with_blocks(stage: Stage, blocks: Mapping[Index, Any]) -> Stage:
    """Return a copy of a stage that reads computed blocks.

    Parameters
    ----------
    stage
        A stage made by `HeldBlocks.without_array`.
    blocks
        Computed blocks by block index.
    """
    assert isinstance(stage.work, CopyWork)
    assert isinstance(stage.work.reader, BlockReader)
    reader = replace(stage.work.reader, blocks=blocks)
    return replace(stage, work=replace(stage.work, reader=reader))
