"""`rechunk()`: everything is checked and planned; nothing is written until it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

import zarr

from rechunker.jobs import check_array_name, check_places, plan_target, temp_places
from rechunker.plugins import get_executor
from rechunker.rechunked import Intermediate, Rechunked
from rechunker.sizes import parse_bytes
from rechunker.sources import hierarchy_of
from rechunker.stores import resolve_store
from rechunker.types import Executor

__all__ = ["rechunk"]


@overload
def rechunk(
    source: zarr.Array[Any],
    target_chunks: Any,
    max_mem: int | str,
    target_store: Any,
    target_options: Mapping[str, Any] | None = ...,
    temp_store: Any = ...,
    temp_options: Mapping[str, Any] | None = ...,
    executor: str | Executor[Any] | None = ...,
    array_name: str | None = ...,
) -> Rechunked[zarr.Array[Any]]: ...


@overload
def rechunk(
    source: zarr.Group,
    target_chunks: Any,
    max_mem: int | str,
    target_store: Any,
    target_options: Mapping[str, Any] | None = ...,
    temp_store: Any = ...,
    temp_options: Mapping[str, Any] | None = ...,
    executor: str | Executor[Any] | None = ...,
    array_name: str | None = ...,
) -> Rechunked[zarr.Group]: ...


@overload
def rechunk(
    source: Any,
    target_chunks: Any,
    max_mem: int | str,
    target_store: Any,
    target_options: Mapping[str, Any] | None = ...,
    temp_store: Any = ...,
    temp_options: Mapping[str, Any] | None = ...,
    executor: str | Executor[Any] | None = ...,
    array_name: str | None = ...,
) -> Rechunked[Any]: ...


def rechunk(
    source: Any,
    target_chunks: Any,
    max_mem: int | str,
    target_store: Any,
    target_options: Mapping[str, Any] | None = None,
    temp_store: Any = None,
    temp_options: Mapping[str, Any] | None = None,
    executor: str | Executor[Any] | None = None,
    array_name: str | None = None,
) -> Rechunked[Any]:
    """Plan to copy an array, or all arrays of a group or a dataset, with other chunks.

    Everything is checked here, and nothing is written before `Rechunked.execute`.

    Parameters
    ----------
    source
        A `zarr.Array` or a `zarr.Group`; a `dask.array.Array`; an `xarray.Dataset` or an
        `xarray.DataTree`.
    target_chunks
        For an array: one size per axis, or sizes by the names of dimensions, or None to keep its
        chunks. For a group: those by path of the array; arrays that are not named are left out.
        For a dataset: sizes by name of a dimension, or those for an array by name of a variable;
        for a tree the same, or those by path of its nodes. -1 stands for a whole axis.
    max_mem
        Bytes that one task may hold, all it has in flight included: a number, or a string such
        as "500MB" or "1GiB".
    target_store
        Where the target goes: a path, a URL, a mapping, a zarr store, or a `zarr.Group`.
    target_options
        What is to differ from the source besides the chunks, in the keywords of zarr's array
        creation: compressors, filters, serializer, shards, fill_value, order, zarr_format, and
        so on; `overwrite` to replace what is there. For a group: those by path of the array.
        For a dataset: what differs from the encoding of a variable, by its name, in the words of
        `Dataset.to_zarr`; `overwrite` and `zarr_format` are for the whole.
    temp_store
        Where temporary objects go, if the plan needs any; they are removed at the end.
    temp_options
        Of these only compressors matter, and none for a dataset. By default `target_options`.
    executor
        Name of an executor, or one. By default "dask" where rechunker-dask is installed,
        otherwise "python".
    array_name
        Name of the target, where the source is an array and `target_store` a `zarr.Group`.

    Returns
    -------
    Rechunked
        What will be done.

    Raises
    ------
    MemoryLimitError
        If `max_mem` is too little; the error tells how much would do.
    FileExistsError
        If there is something at the target.
    ValueError, TypeError
        If anything else is wrong; the error tells what to do.

    Examples
    --------
    >>> import zarr
    >>> from rechunker import rechunk
    >>> source = zarr.ones((4, 4), chunks=(2, 2), store="source.zarr")
    >>> rechunked = rechunk(source, target_chunks=(4, 1), target_store="target.zarr",
    ...                     max_mem=256000, temp_store="intermediate.zarr")
    >>> rechunked
    <Rechunked>
    * Source      : <Array file://source.zarr shape=(4, 4) dtype=float64>
    * Target      : <Array file://target.zarr shape=(4, 4) dtype=float64>
    >>> rechunked.execute()
    <Array file://target.zarr shape=(4, 4) dtype=float64>
    """
    memory = parse_bytes(max_mem)
    engine = get_executor(executor)
    group = target_store if isinstance(target_store, zarr.Group) else None
    place = resolve_store(target_store)
    temp_place = None if temp_store is None else resolve_store(temp_store)
    zarr_format = group.metadata.zarr_format if group is not None else None
    hierarchy = hierarchy_of(source, target_chunks, target_options, zarr_format)
    check_array_name(hierarchy, group, array_name)
    if array_name is not None:
        place = place / array_name
    temp = temp_places(hierarchy, temp_place, temp_options, target_options)
    check_places(hierarchy, place, temp_place, engine)
    into_group = group is not None and array_name is None
    job = plan_target(hierarchy, place, temp, memory, engine, into_group=into_group)
    plans = {array.name: array.plan for array in job.jobs}
    hops = {name: plan.hops for name, plan in plans.items() if plan.hops}
    between = Intermediate(temp_place, hops) if temp_place and hops else None
    plan = engine.prepare_plan(job.specs())
    return Rechunked(engine, plan, source, between, job.target(), copy_plan=plans, reopen=job.open)
