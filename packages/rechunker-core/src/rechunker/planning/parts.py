"""Parts: the temporary objects that one task writes its cells to, at the same time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from math import prod

import numpy as np

from rechunker.planning.footprints import Numbers
from rechunker.planning.grids import Grid, axis_count, blocks_met

__all__ = ["count_objects", "largest_object", "number_of_parts"]

# Bytes of a part, at least: to send fewer takes less time than a request (30 ms at 100 MB/s).
_PART_BYTES = 1 << 22
# Blocks of an axis that are looked at one by one; more of them are terabytes along one axis.
_MOST_BLOCKS = 1_000_000


def number_of_parts(box: Numbers, pieces: Numbers, most: int) -> Numbers:
    """Return the number of objects that the largest boxes are stored in.

    Parameters
    ----------
    box
        Bytes of the largest box.
    pieces
        Largest number of cells of a box.
    most
        Number of requests at the same time.
    """
    number: Numbers = np.minimum(np.minimum(most, -(-box // _PART_BYTES)), pieces)
    return np.maximum(number, 1)


def largest_object(box: Numbers, pieces: Numbers, cell: Numbers, parts: Numbers) -> Numbers:
    """Return a bound on the bytes of an object with about as many cells as the others.

    Parameters
    ----------
    box, pieces
        As for `number_of_parts`.
    cell
        Bytes of the largest cell.
    parts
        Number of objects that the largest boxes are stored in.
    """
    bound: Numbers = np.minimum(box, -(-pieces // parts) * cell)
    return bound


def count_objects(shape: Sequence[int], boxes: Grid, grid: Sequence[int], parts: int) -> int | None:
    """Return how many objects all boxes are stored in; None if that takes too long to count.

    Parameters
    ----------
    shape
        Elements of the array along every axis.
    boxes, grid
        Grids of the stage that writes and of the stage that reads.
    parts
        Number of objects of a box, unless it has fewer cells.
    """
    axes = list(zip(shape, boxes, grid, strict=True))
    if max((axis_count(n, axis) for n, axis, _ in axes), default=0) > _MOST_BLOCKS:
        return None
    histograms = (Counter(blocks_met(n, axis, width)) for n, axis, width in axes)
    every = product(*(histogram.items() for histogram in histograms))
    return sum(
        prod(number for _, number in some) * min(parts, prod(cells for cells, _ in some))
        for some in every
    )
