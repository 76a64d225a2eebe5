"""Sizes of the axes of chunks and shards as users write them: tuples, dicts by name, bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from operator import index
from typing import Any, Final

from rechunker.metadata.dimensions import Dimensions
from rechunker.sizes import parse_bytes

__all__ = ["LEFT_OUT", "axis_sizes", "bytes_of", "in_elements", "is_size"]


class _LeftOut(Enum):
    """The size of an axis that a specification does not name."""

    AXIS = "left out"


LEFT_OUT: Final = _LeftOut.AXIS


def axis_sizes(chunks: Any, ndim: int, dims: Dimensions | None, what: str) -> list[Any]:
    """Return one size for each axis, as users write sizes; `LEFT_OUT` for those without one.

    Parameters
    ----------
    chunks
        What `normalize_chunks` takes, but None.
    ndim
        Number of axes.
    dims
        Dimension names of the array; None if it has none.
    what
        Name of `chunks` in error messages.

    Raises
    ------
    TypeError, ValueError
        As in `normalize_chunks`, as far as that can be told without the shape.
    """
    if isinstance(chunks, Mapping):
        sizes = _by_name(chunks, ndim, dims, what)
    elif _is_sequence(chunks):
        if len(chunks) != ndim:
            raise ValueError(
                f"{what}={chunks!r} has {len(chunks)} sizes, but the array has {ndim} axes; "
                "give one size per axis (-1 for the whole axis)"
            )
        sizes = list(chunks)
    elif is_size(chunks) and (ndim == 1 or chunks == -1 or isinstance(chunks, str)):
        sizes = [chunks] * ndim
    else:
        raise TypeError(
            f"{what}={chunks!r} is not a chunk shape; give a tuple with one size for each of "
            f"the {ndim} axes, a dict by dimension name, 'auto', or bytes such as '100MB'"
        )
    for axis, size in enumerate(sizes):
        _check_size(size, f"{what}={chunks!r}, axis {axis}")
    several = {size for size in sizes if isinstance(size, str) and size != "auto"}
    if len(several) > 1:
        first, second, *_ = sorted(several)
        raise ValueError(
            f"{what}={chunks!r}: a chunk has one number of bytes, not {first!r} and {second!r}; "
            "give it for one axis, and 'auto' for the others that may be cut"
        )
    return sizes


def is_size(value: Any) -> bool:
    """Return whether a value can be the size of an axis: an integer, "auto" or bytes.

    Parameters
    ----------
    value
        Part of a chunk specification.
    """
    return _integer(value) is not None or isinstance(value, str)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _integer(value: Any) -> int | None:
    """Return `value` as an int; None if it is not an integer (or is a bool)."""
    if isinstance(value, bool):
        return None
    try:
        return index(value)
    except TypeError:
        return None


def _by_name(chunks: Mapping[Any, Any], ndim: int, dims: Dimensions | None, what: str) -> list[Any]:
    named = {name: size for name, size in chunks.items() if name is not ...}
    if dims is None and any(size is not None for size in named.values()):
        raise ValueError(
            f"{what}={dict(chunks)!r} names dimensions, but the array has no dimension names; "
            "give a tuple with one size per axis"
        )
    own = dims or (None,) * ndim
    for name, size in named.items():
        if size is not None and (name is None or own.count(name) != 1):
            raise ValueError(
                f"{what}={dict(chunks)!r}: {name!r} must name exactly one dimension; "
                f"the dimensions are {dims}"
            )
    rest = chunks.get(..., LEFT_OUT)
    return [named.get(name, rest) if name is not None else rest for name in own]


def _check_size(size: Any, where: str) -> None:
    if size is None or size is LEFT_OUT:
        return
    if _is_sequence(size):
        raise TypeError(f"{where}: give one size per axis, got {size!r}; Zarr chunks are regular")
    if isinstance(size, str):
        if size != "auto" and not size.strip()[-1:].isalpha():
            raise TypeError(
                f"{where}: the size must be an integer, 'auto' or bytes with a unit such as "
                f"'100MB', got {size!r}"
            )
        try:
            _ = size == "auto" or parse_bytes(size)
        except ValueError as error:
            raise ValueError(f"{where}: {error}, or 'auto'") from None
        return
    number = _integer(size)
    if number is None:
        raise TypeError(f"{where}: the size must be an integer, got {size!r}")
    if number < 1 and number != -1:
        raise ValueError(f"{where}: the size must be a positive integer or -1, got {size!r}")


def in_elements(size: Any, whole: int, kept: int) -> int | None:
    """Return a size in elements; None if it is to be fitted to a number of bytes.

    Parameters
    ----------
    size
        One of `axis_sizes`.
    whole
        Size of the whole axis, and the largest.
    kept
        Size if there is none, or None is given.
    """
    if isinstance(size, str):
        return None
    if size is None or size is LEFT_OUT:
        return kept
    return whole if size == -1 else min(index(size), whole)


def bytes_of(sizes: Sequence[Any]) -> int | None:
    """Return the number of bytes among sizes; None if there is none.

    Parameters
    ----------
    sizes
        What `axis_sizes` returns.
    """
    texts = (size for size in sizes if isinstance(size, str) and size != "auto")
    return next(map(parse_bytes, texts), None)
