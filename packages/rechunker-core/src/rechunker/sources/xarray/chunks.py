"""What `target_chunks` mean for a dataset: the chunks of every variable."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rechunker.metadata import check_names, normalize_chunks
from rechunker.sources.dask import regular_blocks

if TYPE_CHECKING:
    import xarray

__all__ = ["target_chunks_of"]

Chunks = dict[str, tuple[int, ...]]


def target_chunks_of(dataset: xarray.Dataset, given: Any, what: str = "target_chunks") -> Chunks:
    """Return the chunks of all variables in the target.

    Parameters
    ----------
    dataset
        The source.
    given
        Sizes by name of a dimension; or chunks by name of a variable, each a size per axis or
        sizes by name of a dimension; or None, for chunks as they are.
    what
        What to call `given` in errors.

    Returns
    -------
    dict
        By name of the variable. Coordinates of one dimension, and bounds, are in one chunk unless
        they are named, or nothing is.

    Raises
    ------
    TypeError, ValueError
        If something is no chunk specification, or names what the dataset has not.
    """
    names = {str(name): variable for name, variable in dataset.variables.items()}
    if given is None:
        return {name: _kept(variable) for name, variable in names.items()}
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{what}={given!r}: the source is a dataset, so give a dict by name of its dimensions "
            "or by name of its variables"
        )
    whole = set(_in_one_chunk(dataset))
    by_dimension = _names_dimensions(dataset, given, what)
    found = {}
    for name, variable in names.items():
        named = not by_dimension and name in given
        where = f"{what}[{name!r}]" if named else what
        if not named and name in whole:
            found[name] = tuple(max(1, n) for n in variable.shape)
            continue
        asked = given.get(name) if named else {}
        if by_dimension:
            asked = {dim: given[dim] for dim in variable.dims if dim in given}
        found[name] = _asked(variable, asked, where) if asked else _kept(variable)
    return found


def _asked(variable: xarray.Variable, asked: Any, where: str) -> tuple[int, ...]:
    dims = tuple(map(str, variable.dims))
    return normalize_chunks(asked, variable.shape, dims, _kept(variable), what=where)


def _names_dimensions(dataset: xarray.Dataset, given: Mapping[Any, Any], what: str) -> bool:
    """Say whether keys are names of dimensions; some are names of variables as well."""
    check_names(given, {*dataset.dims, *dataset.variables}, what)
    sizes = [key for key, value in given.items() if _is_size_of_dimension(dataset, key, value)]
    others = [key for key in given if key not in sizes]
    if not others:
        return True
    for key in others:
        if key not in dataset.variables:
            raise TypeError(f"{what}[{key!r}]={given[key]!r}: a dimension takes one size, or -1")
    only_dimensions = [key for key in sizes if key not in dataset.variables]
    if only_dimensions:
        raise ValueError(
            f"{what} names both dimensions, {', '.join(map(repr, only_dimensions))}, and "
            f"variables, {', '.join(map(repr, others))}; give all chunks by dimension, or all by "
            "variable (each may hold a dict by dimension)"
        )
    return False


def _is_size_of_dimension(dataset: xarray.Dataset, key: Any, value: Any) -> bool:
    return key in dataset.dims and not isinstance(value, Mapping | tuple | list)


def _in_one_chunk(dataset: xarray.Dataset) -> Iterator[str]:
    """Yield coordinates of one dimension (or none), and bounds."""
    for name, variable in dataset.variables.items():
        if name in dataset.coords and variable.ndim <= 1:
            yield str(name)
        for key in ("bounds", "climatology"):
            bounds: Hashable = variable.encoding.get(key, variable.attrs.get(key))
            if isinstance(bounds, str) and bounds in dataset.variables:
                yield bounds


def _kept(variable: xarray.Variable) -> tuple[int, ...]:
    """Return the chunks that a variable has: in dask, as stored, or all of it."""
    stored = _stored(variable)
    if variable.chunks is not None:
        regular = regular_blocks(variable.data)
        usual = tuple(max((int(n) for n in sizes), default=1) for sizes in variable.chunks)
        stored = regular or stored or usual
    return tuple(max(1, n) for n in stored or variable.shape)


def _stored(variable: xarray.Variable) -> tuple[int, ...] | None:
    chunks = variable.encoding.get("chunks") or variable.encoding.get("chunksizes")
    if not isinstance(chunks, tuple | list) or len(chunks) != variable.ndim:
        return None
    if not all(hasattr(size, "__index__") for size in chunks):
        return None  # a rectilinear grid has sizes on each axis
    return tuple(int(size) for size in chunks)
