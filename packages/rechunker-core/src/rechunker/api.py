"""`rechunk()`: check and plan a rechunking; nothing is written before `execute()`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

import zarr

from rechunker.jobs import (
    Parallelism,
    Run,
    TargetPlanner,
    check_places,
    format_around,
    format_of_group,
    is_reachable,
    name_in_group,
    plan_auto_sizes,
    temp_places,
)
from rechunker.plugins import get_executor
from rechunker.rechunked import Intermediate, Rechunked
from rechunker.sizes import parse_bytes
from rechunker.sources import Hierarchy, hierarchy_of, open_source
from rechunker.stores import (
    only_format,
    options_of_urls,
    resolve_store,
    secrets_hidden,
    session_place,
)
from rechunker.types import Executor

__all__ = ["rechunk"]


@overload
def rechunk(
    source: zarr.Array[Any],
    target_chunks: Any,
    max_mem: int | str,
    target_store: Any,
    target_options: Mapping[Any, Any] | None = ...,
    temp_store: Any = ...,
    temp_options: Mapping[Any, Any] | None = ...,
    executor: str | Executor[Any] | None = ...,
    array_name: str | None = ...,
    storage_options: Mapping[str, Any] | None = ...,
) -> Rechunked[zarr.Array[Any]]: ...


@overload
def rechunk(
    source: zarr.Group,
    target_chunks: Any,
    max_mem: int | str,
    target_store: Any,
    target_options: Mapping[Any, Any] | None = ...,
    temp_store: Any = ...,
    temp_options: Mapping[Any, Any] | None = ...,
    executor: str | Executor[Any] | None = ...,
    array_name: str | None = ...,
    storage_options: Mapping[str, Any] | None = ...,
) -> Rechunked[zarr.Group]: ...


@overload
def rechunk(
    source: Any,
    target_chunks: Any,
    max_mem: int | str,
    target_store: Any,
    target_options: Mapping[Any, Any] | None = ...,
    temp_store: Any = ...,
    temp_options: Mapping[Any, Any] | None = ...,
    executor: str | Executor[Any] | None = ...,
    array_name: str | None = ...,
    storage_options: Mapping[str, Any] | None = ...,
) -> Rechunked[Any]: ...


def rechunk(
    source: Any,
    target_chunks: Any,
    max_mem: int | str,
    target_store: Any,
    target_options: Mapping[Any, Any] | None = None,
    temp_store: Any = None,
    temp_options: Mapping[Any, Any] | None = None,
    executor: str | Executor[Any] | None = None,
    array_name: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Rechunked[Any]:
    """Plan to copy an array, group or dataset to a new store with other chunks.

    All arguments are checked here. Nothing is written before `Rechunked.execute` is called.

    Parameters
    ----------
    source
        A `zarr.Array`, `zarr.Group`, `dask.array.Array`, `numpy.ndarray`, `xarray.Dataset`,
        `xarray.DataArray` or `xarray.DataTree`; or a path, a URL, a store or a mapping that holds a
        Zarr array or group.
    target_chunks
        Chunks of the target; None or {} to keep those of the source. A size of an axis is a number
        of elements, -1 for the whole axis, None to keep it, or "auto" or a number of bytes such as
        "100MB" for an axis that may be cut so that a chunk has about as many bytes.

        - Array: one size per axis, a dict of sizes by dimension name in which ``...`` stands for
          all other dimensions, or one of -1, "auto" and bytes for all axes.
        - DataArray: one size per axis, or what a dataset takes.
        - Group, Dataset or DataTree: a dict with sizes of dimensions, which hold for all arrays;
          with chunks by path of an array or by a pattern such as ``"*/0"``, which have precedence;
          and with such a dict by path of a group. Arrays of a group are not copied if others are
          named, and there are no sizes of dimensions.
    max_mem
        Memory limit per task in bytes, including chunks being read, decoded, encoded or written:
        an integer or a string such as ``"500MB"`` or ``"1GiB"``.
    target_store
        Where to write the target: a path, a URL, a mutable mapping, a Zarr store or a
        `zarr.Group`. To a group that is there, arrays are added, and everything else in it stays.
        Or a session of Icechunk, which you commit yourself; or a repository of Icechunk, or a tuple
        of it and the name of a branch ("main" by default), to which `Rechunked.execute` makes a
        commit.
    target_options
        Options of the target that differ from the source.

        - Array: keyword arguments of `zarr.create_array` such as `compressors`, `filters`,
          `serializer`, `shards`, `fill_value`, `order` or `zarr_format`; and `overwrite`, True to
          replace an existing target.
        - Group: a dict of such options by array path, or by a pattern such as ``"*"``; also
          `overwrite` for the whole target, True to delete everything at a path or in a store first.
          A `zarr.Group` stays, and loses only the arrays that are written.
        - Dataset: a dict of encodings by variable name or pattern, as in
          `xarray.Dataset.to_zarr`, that update the encodings of the source; also `overwrite` and
          `zarr_format` for the whole target.
        - DataTree: a dict by path or pattern of a variable, or by node path of what a dataset
          takes; also `overwrite` and `zarr_format`.
    temp_store
        Where to write temporary objects if the plan needs any: a path, a URL, a mutable mapping or
        a Zarr store. They are deleted at the end of the execution; the folder stays, and may be
        deleted then.
    temp_options
        Options of the temporary objects, in the form of `target_options`. Only the compressor is
        used, and for datasets nothing. By default the compressor in `target_options`.
    executor
        Name of an executor or an `Executor` instance. By default ``"dask"`` if rechunker-dask is
        installed and its tasks can reach all stores, otherwise ``"python"``.
    array_name
        Name of the target array in `target_store`. Required if the source is an array and there is
        a group at `target_store`, not allowed otherwise; ignored if `temp_store` alone is a
        `zarr.Group`.
    storage_options
        Arguments with which fsspec or obstore opens `source`, `target_store` and `temp_store` where
        they are URLs, such as credentials. Anything else brings its own.

    Returns
    -------
    Rechunked
        The plan; its method `execute` runs it and returns the target.

    Raises
    ------
    MemoryLimitError
        If no plan fits in `max_mem`; the message says how much would be enough.
    FileExistsError
        If there is already an array at the target, and `overwrite` is not set, or a group where an
        array is to go.
    FileNotFoundError
        If the source is a place at which there is no array and no group.
    TargetInUseError
        If there is a group at the target, and another run writes to it as its own target.
    ValueError
        If chunks, options or a size are invalid, stores overlap or cannot be reached by the tasks
        of the executor, a temporary store is needed but missing, or the executor is not installed.
    TypeError
        If an argument has the wrong type, or there are `storage_options`, but no URL.
    ImportError
        If a URL needs a package that is not installed; the message says which.

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
    * Target      : <Array file:///...target.zarr shape=(4, 4) dtype=float64>
    * Chunks      : (2, 2) -> (4, 1)
    * Size        : 128 B, 4 chunks -> 4 chunks
    * Stages      : source -> target, 1 task; source read 1.00 times
    * Requests    : 4 reads, 4 writes
    * Memory      : ... of 256 kB for each task
    * Temp space  : none
    * Time        : about ... ms, estimated from the prices of requests, bytes and tasks
    * Executed    : no
    >>> rechunked.execute()
    <Array file:///...target.zarr shape=(4, 4) dtype=float64>
    """
    with secrets_hidden():
        memory = parse_bytes(max_mem)
        asked = get_executor(executor)
        options = options_of_urls(
            storage_options, source=source, target_store=target_store, temp_store=temp_store
        )
        source = open_source(source, options["source"])
        place = resolve_store(target_store, storage_options=options["target_store"])
        place = session_place(place, remote=not asked.shares_memory)
        temp_place = None
        if temp_store is not None:
            temp_place = resolve_store(temp_store, storage_options=options["temp_store"])
        group_format = format_of_group(target_store, place, target_options, array_name)
        zarr_format = group_format or only_format(place) or format_around(place)

        def requested(limit: int) -> Hierarchy:
            return hierarchy_of(source, target_chunks, target_options, zarr_format, limit)

        def run_of(hierarchy: Hierarchy) -> tuple[Executor[Any], Run]:
            name = name_in_group(hierarchy, place, group_format, array_name, temp_store)
            whole = place if name is None else place / name
            chosen = asked
            if executor is None and not is_reachable(asked, hierarchy, whole, temp_place):
                chosen = get_executor("python")
            temp = temp_places(hierarchy, temp_place, temp_options, target_options)
            check_places(hierarchy, whole, temp_place, chosen)
            into_group = group_format is not None
            planner = TargetPlanner(hierarchy, whole, temp, memory, into_group)
            return chosen, Run(planner(Parallelism.of(chosen)), planner)

        request = (target_chunks, target_options)
        hierarchy, (engine, run) = plan_auto_sizes(requested, run_of, memory, request)
        hops = {name: plan.hops for name, plan in run.copy_plan.items() if plan.hops}
        between = Intermediate(temp_place, hops) if temp_place and hops else None
        plan = engine.prepare_plan(run.specs())
        target, left_out = run.job.target(), hierarchy.left_out
        return Rechunked(engine, plan, source, between, target, run=run, left_out=left_out)
