"""Figures: what is shown of a plan, taken from it before anything is drawn or written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["ArrayFigures", "Division", "PlanFigures", "StageFigures"]

Grid: TypeAlias = tuple[int | tuple[int, ...], ...]


@dataclass(frozen=True)
class Division:
    """How an array is divided into stored objects, in one of the places that it passes.

    Parameters
    ----------
    place
        The place: "source", "temp", "temp 2", "target".
    shape
        Shape of the array.
    grid
        Stored objects: for each axis the width of all of them in elements, or the size of each.
    count
        Number of stored objects.
    text
        The grid as text.
    inner
        Chunks in each stored object, which then is a shard; None if it is a chunk.
    """

    place: str
    shape: tuple[int, ...]
    grid: Grid
    count: int
    text: str
    inner: tuple[int, ...] | None = None

    @property
    def kind(self) -> str:
        """What a stored object is called."""
        if self.place.startswith("temp"):
            return "temp object"
        return "chunk" if self.inner is None else "shard"


@dataclass(frozen=True)
class StageFigures:
    """What all tasks of a stage do together.

    Parameters
    ----------
    name
        From where to where, such as ``"source -> temp"``.
    boxes
        Boxes of the tasks, as text.
    tasks, gets, puts, bytes_read, bytes_written, memory
        As for `rechunker.planning.StagePlan`.
    """

    name: str
    boxes: str
    tasks: int
    gets: int
    puts: int
    bytes_read: int
    bytes_written: int
    memory: int


@dataclass(frozen=True)
class ArrayFigures:
    """What is shown of one array.

    Parameters
    ----------
    name
        Path of the array; "" if there is but one.
    dims
        Names of its dimensions, as far as they are known; "" for one without a name.
    shape
        Shape of the array.
    nbytes
        Decoded bytes of the array.
    max_mem
        Memory limit per task in bytes.
    amplification
        Read amplification.
    seconds
        Modelled time in seconds.
    divisions
        The array in its source, in each place of temporary objects, and in its target.
    stages
        The stages between these, in order.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    nbytes: int
    max_mem: int
    amplification: float
    seconds: float
    divisions: tuple[Division, ...]
    stages: tuple[StageFigures, ...]

    @property
    def hops(self) -> int:
        """Number of copies through temporary objects."""
        return len(self.stages) - 1

    @property
    def memory(self) -> int:
        """Peak memory of one task in bytes, in the stage that needs most."""
        return max(stage.memory for stage in self.stages)

    @property
    def temp_bytes(self) -> int:
        """Decoded bytes of all temporary objects."""
        return sum(stage.bytes_written for stage in self.stages[:-1])


@dataclass(frozen=True)
class PlanFigures:
    """What is shown of a plan of any number of arrays.

    Parameters
    ----------
    title
        What is shown, such as ``"Rechunked"``.
    places
        Names of places, and what is there; without credentials.
    arrays
        The arrays, in order.
    seconds
        Modelled time of all arrays together, in seconds.
    executed
        Whether and when the plan was executed; None if nobody executes it.
    left_out
        Paths of arrays of the source that are not copied.
    """

    title: str
    places: tuple[tuple[str, str], ...]
    arrays: tuple[ArrayFigures, ...]
    seconds: float
    executed: str | None = None
    left_out: tuple[str, ...] = ()

    def total(self, figure: str) -> int:
        """Return the sum of a figure over all stages of all arrays.

        Parameters
        ----------
        figure
            Name of an attribute of `StageFigures`.
        """
        return sum(getattr(stage, figure) for array in self.arrays for stage in array.stages)

    def largest(self, count: int) -> tuple[ArrayFigures, ...]:
        """Return the largest arrays, in their own order.

        Parameters
        ----------
        count
            Largest number of arrays to return.
        """
        by_size = sorted(range(len(self.arrays)), key=lambda i: -self.arrays[i].nbytes)
        return tuple(self.arrays[i] for i in sorted(by_size[:count]))
