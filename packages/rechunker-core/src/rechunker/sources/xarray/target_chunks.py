"""Target chunks of the variables of a dataset, from `target_chunks` by dimension or by variable."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rechunker.metadata import check_names, normalize_chunks
from rechunker.sources.dask import regular_blocks

if TYPE_CHECKING:
    import xarray

__all__ = ["check_not_mixed", "is_by_dimension", "target_chunks_of"]

Chunks = dict[str, tuple[int, ...]]


def target_chunks_of(dataset: xarray.Dataset, chunks: Any, what: str = "target_chunks") -> Chunks:
    """Return the chunks of all variables in the target.

    Parameters
    ----------
    dataset
        Source.
    chunks
        A dict of sizes by dimension, or a dict of chunks by variable, where each entry has one
        size per axis or is itself a dict by dimension. None keeps all chunks.
    what
        Name of `chunks` in error messages.

    Returns
    -------
    dict
        Chunks by variable name. Unless `chunks` is None or names them as variables, coordinates
        with one dimension and bounds are in one chunk.

    Raises
    ------
    TypeError
        If `chunks` is not a dict, or an entry has the wrong type.
    ValueError
        If a size is not allowed, a name is not in the dataset, or some entries are sizes of
        dimensions and others are chunks of variables.
    """
    variables = {str(name): variable for name, variable in dataset.variables.items()}
    if chunks is None:
        return {name: _current_chunks(variable) for name, variable in variables.items()}
    if not isinstance(chunks, Mapping):
        raise TypeError(
            f"{what}={chunks!r}: the source is a dataset; give a dict by name of its dimensions "
            "or by name of its variables"
        )
    in_one_chunk = set(_variables_in_one_chunk(dataset))
    by_dimension = _is_by_dimension(dataset, chunks, what)
    target_chunks = {}
    for name, variable in variables.items():
        named = not by_dimension and name in chunks
        where = f"{what}[{name!r}]" if named else what
        if not named and name in in_one_chunk:
            target_chunks[name] = tuple(max(1, n) for n in variable.shape)
            continue
        own = chunks.get(name) if named else {}
        if by_dimension:
            own = {dim: chunks[dim] for dim in variable.dims if dim in chunks}
        current = _current_chunks(variable)
        dims = tuple(map(str, variable.dims))
        target_chunks[name] = (
            normalize_chunks(own, variable.shape, dims, current, what=where) if own else current
        )
    return target_chunks


def _is_by_dimension(dataset: xarray.Dataset, chunks: Mapping[Any, Any], what: str) -> bool:
    """Return whether the keys are dimensions rather than variables; some may be both."""
    check_names(chunks, {*dataset.dims, *dataset.variables}, what)
    others = [key for key, value in chunks.items() if not is_by_dimension(key, value, dataset.dims)]
    if not others:
        return True
    for key in others:
        if key not in dataset.variables:
            raise TypeError(
                f"{what}[{key!r}] must be one size, or -1 for the whole dimension, "
                f"got {chunks[key]!r}"
            )
    check_not_mixed(chunks, dataset.dims, dataset.variables, what)
    return False


def is_by_dimension(key: Any, value: Any, dims: Container[Any]) -> bool:
    """Return whether an entry of `target_chunks` can be the size of a dimension.

    Parameters
    ----------
    key, value
        Name and chunks of the entry.
    dims
        Names of the dimensions.
    """
    return key in dims and not isinstance(value, Mapping | tuple | list)


def check_not_mixed(
    chunks: Mapping[Any, Any], dims: Container[Any], variables: Container[Any], what: str
) -> None:
    """Check that a dict of chunks by variable has no size of a dimension.

    Parameters
    ----------
    chunks
        Chunks by name, at least one of which belongs to a variable.
    dims, variables
        Names of the dimensions and of the variables; some may be both. The chunks of such a
        variable may be None, a tuple or a dict, but not a number, which could mean either.
    what
        Name of `chunks` in error messages.

    Raises
    ------
    ValueError
        If a number is given for a dimension.
    """
    for key, size in chunks.items():
        if not is_by_dimension(key, size, dims) or (size is None and key in variables):
            continue
        other = next(name for name in chunks if not is_by_dimension(name, chunks[name], dims))
        alone = f" (for the variable {key!r} itself: ({size!r},))" if key in variables else ""
        raise ValueError(
            f"{what}={dict(chunks)!r} names both dimensions, as in {key!r}: {size!r}, and "
            f"variables, as in {other!r}: {chunks[other]!r}; give nothing but sizes of "
            f"dimensions, or the chunks of each variable, as in {{<variable>: {{{key!r}: "
            f"{size!r}}}}}{alone}"
        )


def _variables_in_one_chunk(dataset: xarray.Dataset) -> Iterator[str]:
    """Yield the names of coordinates with at most one dimension, and of bounds."""
    for name, variable in dataset.variables.items():
        if name in dataset.coords and variable.ndim <= 1:
            yield str(name)
        for key in ("bounds", "climatology"):
            bounds: Hashable = variable.encoding.get(key, variable.attrs.get(key))
            if isinstance(bounds, str) and bounds in dataset.variables:
                yield bounds


def _current_chunks(variable: xarray.Variable) -> tuple[int, ...]:
    """Return the chunks of a variable: those of Dask or of its store, or else its shape."""
    chunks = _stored_chunks(variable)
    if variable.chunks is not None:
        regular = regular_blocks(variable.data)
        largest = tuple(max((int(n) for n in sizes), default=1) for sizes in variable.chunks)
        chunks = regular or chunks or largest
    return tuple(max(1, n) for n in chunks or variable.shape)


def _stored_chunks(variable: xarray.Variable) -> tuple[int, ...] | None:
    chunks = variable.encoding.get("chunks") or variable.encoding.get("chunksizes")
    if not isinstance(chunks, tuple | list) or len(chunks) != variable.ndim:
        return None
    if not all(hasattr(size, "__index__") for size in chunks):
        return None  # an irregular grid has several sizes per axis
    return tuple(int(size) for size in chunks)
