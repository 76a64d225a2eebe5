"""`rechunk()`: everything is checked and planned; nothing is written until it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import zarr
from zarr.storage import StorePath

from rechunker.assembly import Assembly, assemble
from rechunker.checks import check_array_name, check_origins, check_places
from rechunker.memory import parse_bytes
from rechunker.plan import RechunkPlan
from rechunker.plugins import get_executor
from rechunker.sources import hierarchy_of
from rechunker.stores import resolve_store
from rechunker.temp_options import temp_places
from rechunker.types import Executor, Traffic

__all__ = ["Intermediate", "Rechunked", "rechunk"]


@dataclass(frozen=True)
class Intermediate:
    """The place of temporary objects, and how many times arrays are copied there.

    Parameters
    ----------
    path
        A place in a store.
    hops
        Copies, by name of the array.
    """

    path: StorePath
    hops: Mapping[str, int]

    def __repr__(self) -> str:
        times = max(self.hops.values())
        return f"<Intermediate {self.path} hops={times}>"


class Rechunked:
    """A rechunking that is planned, and that `execute` carries out.

    Parameters
    ----------
    executor
        What will run the plan.
    plan
        The executor's own object.
    source
        What is read.
    intermediate
        Where temporary objects go; None if there are none.
    target
        What will be written. It cannot be opened by others before `execute` is through.

    Attributes
    ----------
    copy_plan
        What will be done, by name of the array ("" for a source that is an array).
    traffic
        What was done, once `execute` is through and if the executor counts it; otherwise None.
    """

    def __init__(
        self,
        executor: Executor[Any],
        plan: Any,
        source: Any,
        intermediate: Intermediate | None,
        target: zarr.Array[Any] | zarr.Group,
        *,
        assembly: Assembly,
    ) -> None:
        self.executor = executor
        self.plan = plan
        self.source = source
        self.intermediate = intermediate
        self.target = target
        self.traffic: Traffic | None = None
        self.copy_plan: Mapping[str, RechunkPlan] = {job.name: job.plan for job in assembly.jobs}
        self._assembly = assembly

    def execute(self, **kwargs: Any) -> zarr.Array[Any] | zarr.Group:
        """Run the plan to its end and return the target.

        Parameters
        ----------
        **kwargs
            For the executor; the one named "python" takes `progress`: True for a progress bar, or
            a function of tasks done, tasks in all, and bytes read and written so far.

        Returns
        -------
        zarr.Array or zarr.Group
            The target, opened.
        """
        done = self.executor.execute_plan(self.plan, **kwargs)
        self.traffic = done if isinstance(done, Traffic) else None
        self.target = self._assembly.open()
        return self.target

    def __repr__(self) -> str:
        lines = (f"* {name:<12}: {value!r}" for name, value in self._parts())
        return "\n".join(["<Rechunked>", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align: left'>{name}</th><td>{escape(repr(value))}</td></tr>"
            for name, value in self._parts()
        )
        plans = "".join(
            f"<details><summary>{escape(name or 'plan')}</summary><pre>{escape(str(plan))}</pre>"
            "</details>"
            for name, plan in self.copy_plan.items()
        )
        return f"<b>Rechunked</b><table>{rows}</table>{plans}"

    def _parts(self) -> list[tuple[str, Any]]:
        between = [("Intermediate", self.intermediate)] if self.intermediate else []
        return [("Source", self.source), *between, ("Target", self.target)]


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
) -> Rechunked:
    """Plan to copy an array, or all arrays of a group, with other chunks.

    Everything is checked here, and nothing is written before `Rechunked.execute`.

    Parameters
    ----------
    source
        A `zarr.Array` or a `zarr.Group`.
    target_chunks
        For an array: one size per axis, or sizes by the names of dimensions, or None to keep its
        chunks. For a group: those by path of the array; arrays that are not named are left out.
        -1 stands for a whole axis.
    max_mem
        Bytes that one task may hold, all it has in flight included: a number, or a string such
        as "500MB" or "1GiB".
    target_store
        Where the target goes: a path, a URL, a mapping, a zarr store, or a `zarr.Group`.
    target_options
        What is to differ from the source besides the chunks, in the keywords of zarr's array
        creation: compressors, filters, serializer, shards, fill_value, order, zarr_format, and
        so on; `overwrite` to replace what is there. For a group: those by path of the array.
    temp_store
        Where temporary objects go, if the plan needs any; they are removed at the end.
    temp_options
        Of these only compressors matter. By default `target_options`.
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
    check_array_name(source, group, array_name)
    place = resolve_store(target_store)
    if array_name is not None:
        place = place / array_name
    zarr_format = group.metadata.zarr_format if group is not None else None
    hierarchy = hierarchy_of(source, target_chunks, target_options, zarr_format)
    temp = temp_places(hierarchy, temp_store, temp_options, target_options)
    check_places(source, place, temp_store, engine)
    check_origins(hierarchy, place, temp_store, engine)
    into_group = group is not None and array_name is None
    assembly = assemble(hierarchy, place, temp, memory, engine, into_group=into_group)
    hops = {job.name: job.plan.hops for job in assembly.jobs if job.plan.hops}
    between = Intermediate(resolve_store(temp_store), hops) if hops else None
    plan = engine.prepare_plan(assembly.specs())
    return Rechunked(engine, plan, source, between, assembly.target(), assembly=assembly)
