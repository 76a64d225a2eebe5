"""Fitting: sizes along some axes, so that a block has as many bytes as it should."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

__all__ = ["fit_sizes"]

_HALVINGS = 100  # of an interval between two floating-point numbers: more change nothing


def fit_sizes(
    sizes: Sequence[int | None],
    lengths: Sequence[int],
    steps: Sequence[int],
    shape: Sequence[int],
    elements: int,
) -> tuple[int, ...]:
    """Return a block of about a number of elements, of the same proportions as another block.

    Parameters
    ----------
    sizes
        Sizes of the block; None for axes along which it is to be fitted.
    lengths
        Largest sizes.
    steps
        Sizes along the fitted axes are multiples of these, or the largest size.
    shape
        Block whose proportions are kept, as far as lengths and steps allow.
    elements
        Number of elements that the block has at most.

    Returns
    -------
    tuple of int
        Sizes of the block. It has at most `elements` elements, and more than half of them, unless
        the lengths allow only for fewer, or a single step along each axis is more.

    Examples
    --------
    >>> fit_sizes((None, 100, None), (1000, 100, 100), (10, 1, 1), (10, 100, 100), 500_000)
    (50, 100, 100)
    >>> fit_sizes((None, None), (1000, 1000), (1, 1), (2, 1), 50)
    (10, 5)
    """
    fitted = [axis for axis, size in enumerate(sizes) if size is None]
    block = [
        min(step, n) if size is None else size
        for size, n, step in zip(sizes, lengths, steps, strict=True)
    ]
    least = list(block)

    def scaled(factor: float) -> list[int]:
        return [max(least[axis], int(min(lengths[axis], factor * shape[axis]))) for axis in fitted]

    others = prod(size for size in sizes if size is not None)
    low, high = 0.0, float(max((lengths[axis] for axis in fitted), default=0))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fits = prod(scaled(middle)) * others <= elements
        low, high = (middle, high) if fits else (low, middle)
    for axis, size in zip(fitted, scaled(low), strict=True):
        whole = size >= lengths[axis]
        block[axis] = lengths[axis] if whole else max(least[axis], size - size % steps[axis])
    return _filled(block, fitted, lengths, steps, shape, elements)


def _filled(
    block: list[int],
    fitted: Sequence[int],
    lengths: Sequence[int],
    steps: Sequence[int],
    shape: Sequence[int],
    elements: int,
) -> tuple[int, ...]:
    """Return a block that grows by single steps as long as it fits, first where it is short."""
    growing = list(fitted)
    while growing:
        axis = min(growing, key=lambda axis: block[axis] / shape[axis])
        larger = min(lengths[axis], block[axis] + steps[axis])
        rest = prod(block[:axis]) * prod(block[axis + 1 :])
        if larger == block[axis] or larger * rest > elements:
            growing.remove(axis)
        else:
            block[axis] = larger
    return tuple(block)
